/** The server does not take part in upgrades: a step is missing in the app around the relay. The message says which. */
export class UpgradeError extends Error {
  override readonly name = "UpgradeError";
}
