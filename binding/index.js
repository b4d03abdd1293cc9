'use strict';

// What the package imports instead of the loader that napi generates (../index.js): that one blames npm whatever has happened. This one
// says what is missing on which system, and what to do. CommonJS, like the loader: both builds of the package share it.

try {
  module.exports = require('../index.js');
} catch (error) {
  throw require('./unavailable.js').unavailable(error);
}
