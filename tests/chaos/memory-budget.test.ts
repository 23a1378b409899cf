import { describeMemoryWalk } from "./memory-walk.ts";

// Two minutes of it run with `npm run test:nightly`.
describeMemoryWalk(4);
