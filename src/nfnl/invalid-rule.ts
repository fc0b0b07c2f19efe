// A rule that nft(8) would refuse before the kernel sees it, or that the kernel would take and that can never do what it says.

/** Why the rule cannot be. The message is a half sentence that follows the rule's text. */
export class InvalidRule extends Error {
  override readonly name = 'InvalidRule';
}
