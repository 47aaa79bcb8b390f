import { ApiError } from "@signalbox/common/errors.ts";
import { RenderError } from "../render-error.ts";

/** What Render says to a direct read becomes the answer of that read; anything else stays what it is. */
export async function reading<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    throw error instanceof RenderError ? toApiError(error) : error;
  }
}

function toApiError(error: RenderError): ApiError {
  const { message, retryable, retryAfterMs, status } = error;
  if (!retryable) {
    const code = status === 404 || status === 410 ? "not_found" : "render_refused";
    return new ApiError(code, message, { cause: error });
  }
  const headers = { "retry-after": String(Math.max(1, Math.ceil(retryAfterMs / 1_000))) };
  return new ApiError("unavailable", message, { headers, cause: error });
}
