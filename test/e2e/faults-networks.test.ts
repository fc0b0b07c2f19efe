// Killed at any moment (support/kill-everywhere.ts): a lab with containers on networks, and those who listen at their published ports.

import { testKillsAtEveryOp } from '../support/kill-everywhere.ts';

testKillsAtEveryOp('networks');
