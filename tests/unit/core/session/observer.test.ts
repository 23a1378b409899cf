import { afterEach, describe, expect, test, vi } from "vitest";
import { guardObserver } from "../../../../src/core/session/observer.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

describe("a failure", () => {
  test.each([
    ["nobody observes the relay", undefined],
    ["the observer has no failed", { left() {} }],
  ])("is told on the console where %s", (_case, observer) => {
    const console = vi.spyOn(globalThis.console, "error").mockImplementation(() => {});
    const defect = new Error("defect");
    guardObserver(observer).failed("7", defect);
    expect(console).toHaveBeenCalledExactlyOnceWith(expect.stringContaining("7"), defect);
  });

  test("goes to the observer only, if it has a member failed", () => {
    const console = vi.spyOn(globalThis.console, "error").mockImplementation(() => {});
    const failed = vi.fn();
    guardObserver({ failed }).failed("7", "defect");
    expect(failed).toHaveBeenCalledExactlyOnceWith("7", "defect");
    expect(console).not.toHaveBeenCalled();
  });
});
