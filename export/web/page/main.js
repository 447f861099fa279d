// Starts the page: checks the browser, loads the engine, lets the visitor choose a photo.

import { Engine } from '../engine.js';
import { Renderer } from '../renderer/renderer.js';
import { letChoose, offerSamples } from './choosing.js';
import { at } from './elements.js';
import { complain, inWords, progress, say } from './messages.js';
import { SaveButton } from './save_button.js';
import { Studio } from './studio.js';

const site = new URL('.', document.baseURI).href;

at('unavailable').remove();
const renderer = makeRenderer();
if (renderer) start();

function makeRenderer() {
  try {
    return new Renderer(at('picture'));
  } catch {
    complain(
      'This browser cannot show moving photos: it has no WebGL 2, or it is switched off. ' +
        'Please use a current browser, with hardware acceleration switched on.',
    );
    return null;
  }
}

async function start() {
  const engine = new Engine(site);
  const studio = new Studio(renderer, engine);
  at('start').hidden = false;
  letChoose((file) => studio.open(file));
  engine.onprogress = (loaded, total) => {
    progress(total ? loaded / total : undefined);
    say(`Getting ready: loading ${(total / 1e6).toFixed(0)} MB…`); // screen readers read out each change
  };
  try {
    const { skies, mediabunny } = await engine.manifest;
    new SaveButton(studio, new URL(mediabunny, site).href);
    offerSamples(
      skies.map(({ name, file }) => ({ name, address: new URL(file, site).href })),
      (file) => studio.open(file),
    );
    await engine.ready;
    engine.onprogress = () => {};
    if (!studio.photo) {
      progress(null);
      say('Ready for your photo.');
    }
  } catch (error) {
    progress(null);
    say('');
    complain(inWords(error));
  }
}
