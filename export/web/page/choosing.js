// The ways a photo comes in: chosen, dropped, pasted, or one of the site's own.

import { at } from './elements.js';
import { complain } from './messages.js';

/** @param {(file: File) => void} onphoto */
export function letChoose(onphoto) {
  const input = at('file');
  for (const id of ['choose', 'another']) at(id).addEventListener('click', () => input.click());
  input.addEventListener('change', () => {
    const [file] = input.files;
    input.value = ''; // the same file can be chosen again
    if (file) onphoto(file);
  });

  // Wherever it is dropped: otherwise the browser would leave the page for the file.
  addEventListener('dragover', (event) => {
    event.preventDefault();
    document.body.classList.add('dragging');
  });
  addEventListener('dragleave', (event) => {
    if (!event.relatedTarget) document.body.classList.remove('dragging');
  });
  addEventListener('drop', (event) => {
    event.preventDefault();
    document.body.classList.remove('dragging');
    const [file] = event.dataTransfer.files;
    if (file) onphoto(file);
    else complain('Only files can be dropped. Please save the picture first, then drop its file.');
  });

  addEventListener('paste', (event) => {
    const [file] = event.clipboardData.files;
    if (file) onphoto(file);
    else complain('There is no picture in the clipboard. Copy a picture, then paste it here.');
  });
}

/**
 * Adds buttons for the site's own photos.
 *
 * @param {{name: string, address: string}[]} skies
 * @param {(file: File) => void} onphoto
 */
export function offerSamples(skies, onphoto) {
  for (const { name, address } of skies) {
    const image = document.createElement('img');
    image.src = address;
    image.alt = '';
    image.loading = 'lazy';
    const label = document.createElement('span');
    label.textContent = name;
    const button = document.createElement('button');
    button.type = 'button';
    button.append(image, label);
    button.addEventListener('click', async () => {
      try {
        const response = await fetch(address);
        if (!response.ok) throw new Error(response.statusText);
        onphoto(new File([await response.blob()], name));
      } catch {
        complain('This picture could not be loaded. Please try again, or choose a photo of your own.');
      }
    });
    const item = document.createElement('li');
    item.append(button);
    at('samples').querySelector('ul').append(item);
  }
  at('samples').hidden = !skies.length;
}
