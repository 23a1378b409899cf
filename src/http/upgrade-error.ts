/**
 * The app around the relay left out a step of mounting it, so that its server cannot upgrade. The message says which
 * step.
 */
export class UpgradeError extends Error {
  override readonly name = "UpgradeError";
}
