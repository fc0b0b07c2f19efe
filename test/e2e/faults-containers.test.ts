// Killed at any moment (support/kill-everywhere.ts): a lab with containers.

import { testKillsAtEveryOp } from '../support/kill-everywhere.ts';

testKillsAtEveryOp('containers');
