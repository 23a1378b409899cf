import { describeMemoryWalk } from "../chaos/memory-walk.ts";

describeMemoryWalk(Number(process.env.MEMORY_SECONDS ?? 120));
