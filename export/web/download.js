// Downloads files of the site, with progress, and checks that they are whole.

/** Something that the visitor can be told: `reason` says what is wrong, in words. */
export class SiteError extends Error {
  name = 'SiteError';

  constructor(reason, options) {
    super(reason, options);
    this.reason = reason;
  }
}

/**
 * @param {URL} address
 * @param {{bytes: number, sha256: string}} expected
 * @param {(bytes: number) => void} onprogress told how many more bytes have arrived
 * @returns {Promise<Uint8Array>}
 */
export async function download(address, expected, onprogress) {
  const name = address.pathname.split('/').pop();
  const content = new Uint8Array(expected.bytes);
  let loaded = 0;
  try {
    const response = await fetch(address);
    if (!response.ok) throw new Error(`status ${response.status}`);
    for (const reader = response.body.getReader(); ; ) {
      const { done, value } = await reader.read();
      if (done) break;
      if (loaded + value.length <= content.length) content.set(value, loaded);
      loaded += value.length;
      onprogress(value.length);
    }
  } catch (error) {
    throw new SiteError(
      `a part of this page could not be loaded (${name}): ${error.message}. Please check your connection, ` +
        'then load the page again',
      { cause: error },
    );
  }
  if (loaded !== content.length || !(await hasHash(content, expected.sha256))) {
    throw new SiteError(`a part of this page is damaged or out of date (${name}). Please load the page again`);
  }
  return content;
}

async function hasHash(content, sha256) {
  if (!globalThis.crypto?.subtle) return true; // only where the page comes by https or from this machine
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', content));
  return [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('') === sha256;
}
