import { expect, test } from "vitest";
import { fakeSession } from "../testing/fakes.ts";
import { Story } from "./story.ts";

test("a story is told step by step, and the step that failed is named", async () => {
  const session = fakeSession();
  const story = new Story(session);
  const value = await story.step("The first", () => Promise.resolve({ value: 7, told: "seven" }));
  expect(value).toBe(7);
  const failing = story.step("The second", () => Promise.reject(new Error("no")));
  await expect(failing).rejects.toThrow("no");
  story.failed("It did not hold.");
  expect(session.terminal.stdout()).toMatch(
    /^✔ The first +0 ms\n {4}seven\n✘ The second\n {4}It did not hold\.\n$/,
  );
});
