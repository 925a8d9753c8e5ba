/** What went wrong, in words that can be shown. */
export class LabError extends Error {
  /**
   * @param code - the server's word for it, or one of ours: `Unreachable`, `NotInstalled`,
   * `Forbidden`, `Unreadable`.
   * @param status - the HTTP status; 0 when no answer came.
   */
  constructor(
    message: string,
    readonly code: string,
    readonly status: number
  ) {
    super(message);
    this.name = 'LabError';
  }
}
