// The unchanged application, with one line before it.
import 'nestjs-kafka-native/register';
import './unchanged.js';
