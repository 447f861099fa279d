// What a file is, by its first bytes: browsers only say whether they can open it.

const HEIC_BRANDS = ['heic', 'heix', 'heim', 'heis', 'hevc', 'hevx', 'mif1', 'msf1'];
const RAW_ENDINGS = /\.(3fr|arw|cr2|cr3|dng|erf|iiq|kdc|mef|mrw|nef|nrw|orf|pef|raf|raw|rw2|rwl|srw|x3f)$/i;
const BEGINNINGS = [
  ['\x89PNG\r\n', 'picture'],
  ['\xff\xd8\xff', 'picture'],
  ['GIF8', 'picture'],
  ['BM', 'picture'],
  ['FUJIFILM', 'RAW'],
  ['%PDF', 'PDF'],
  ['\x1aE\xdf\xa3', 'video'],
  ['\0\0\x01\xba', 'video'],
  ['FLV', 'video'],
  ['PK\x03\x04', 'archive'],
];

/**
 * @param {Uint8Array} head the first bytes, 32 or more if there are so many
 * @param {string} name of the file
 * @returns {'empty'|'picture'|'HEIC'|'TIFF'|'RAW'|'video'|'PDF'|'archive'|'unknown'}
 */
export function kindOf(head, name = '') {
  if (!head.length) return 'empty';
  const text = String.fromCharCode(...head.subarray(0, 32));
  if (text.startsWith('ftyp', 4)) {
    const brand = text.slice(8, 12);
    if (brand === 'crx ') return 'RAW';
    if (brand.startsWith('avi')) return 'picture'; // AVIF: avif, avis
    return HEIC_BRANDS.includes(brand) ? 'HEIC' : 'video';
  }
  if (RAW_ENDINGS.test(name)) return 'RAW';
  if (text.startsWith('RIFF')) return text.startsWith('WEBP', 8) ? 'picture' : 'video';
  if (text.startsWith('II*\0') || text.startsWith('MM\0*')) return 'TIFF';
  return BEGINNINGS.find(([start]) => text.startsWith(start))?.[1] ?? 'unknown';
}

/** Says why a file cannot be opened as a photo, and what to do. */
export function whyNot(kind) {
  const otherwise = 'Please choose a JPEG, PNG, WebP or AVIF.';
  switch (kind) {
    case 'empty':
      return 'This file is empty.';
    case 'picture':
      return 'This picture could not be opened: it is damaged, or too large for this browser.';
    case 'HEIC':
      return 'This browser cannot open HEIC photos. Please save the photo as a JPEG first (on a Mac with Preview, on an iPhone by sharing it as “Most Compatible”), or open this page in Safari.';
    case 'RAW':
      return 'This is a RAW file from a camera. Please develop it first, and choose the JPEG.';
    case 'TIFF':
      return `This browser cannot open TIFF files. ${otherwise}`;
    case 'video':
      return 'This is a video. Please choose a photo: a JPEG, PNG, WebP or AVIF.';
    case 'PDF':
      return `This is a PDF, not a photo. ${otherwise}`;
    case 'archive':
      return `This is an archive or a document, not a photo. ${otherwise}`;
    default:
      return `This file is not a photo. ${otherwise}`;
  }
}
