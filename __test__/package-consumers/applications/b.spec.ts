import { defineTests } from './reset.js';

defineTests(`${process.env['PREFIX']}.b`);
