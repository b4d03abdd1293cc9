import type { Type } from '@nestjs/common';

export function applicationOf(topic: string): Type;
