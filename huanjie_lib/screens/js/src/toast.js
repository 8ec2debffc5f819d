// A message over the page, for what has no place of its own in it: there is one at a time, until it is closed.

import { h } from './dom.js';

const STYLE =
    'position:fixed;right:16px;bottom:16px;z-index:1000;max-width:min(420px,90vw);padding:12px 16px;' +
    'background:#fff;border:1px solid #c9ced6;border-radius:6px;box-shadow:0 4px 16px rgb(0 0 0 / 20%);font-size:14px';

// Shows an element there, or nothing any more for null.
export function tellApart(element) {
    document.getElementById('hj-toast')?.remove();
    if (!element) return;
    const close = h('button', { type: 'button', className: 'hj-more-button' }, '关闭');
    const box = h('div', { id: 'hj-toast' }, element, close);
    box.style.cssText = STYLE;
    close.addEventListener('click', () => box.remove());
    document.body.append(box);
    close.focus();
}
