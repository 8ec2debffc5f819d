// A panel: shows HTML that the kernel rendered and tells it which button was pressed.

import { Press } from './press.js';

const TYPING_PAUSE = 120; // ms without a key before what was typed is sent
const LONGEST_WAIT = 10000; // ms that a press without an answer shows as work under way
const TOLD = 'hj-told'; // a panel is about to tell of a press
let waited; // one line for the whole screen

function render({ model, el }) {
    const box = el.appendChild(document.createElement('div'));
    box.className = 'hj-panel-body';
    if (model.get('label')) {
        box.setAttribute('role', 'region');
        box.setAttribute('aria-label', model.get('label'));
    }

    const tell = (action, value) => {
        const screen = box.closest('.hj-screen');
        clearTimeout(waited);
        waited = setTimeout(() => screen?.classList.remove('hj-waiting'), LONGEST_WAIT);
        screen?.classList.add('hj-waiting');
        model.send({ action, value });
    };

    // Focus lives through a redraw by data-key, scroll positions by data-scroll.
    const draw = () => {
        const active = box.contains(document.activeElement) ? document.activeElement : null;
        const scrolled = new Map();
        for (const part of box.querySelectorAll('[data-scroll]')) {
            scrolled.set(part.dataset.scroll, part.scrollTop);
        }
        const key = active?.dataset.key;
        box.closest('.hj-screen')?.classList.remove('hj-waiting');
        box.innerHTML = model.get('html');
        for (const part of box.querySelectorAll('[data-scroll]')) {
            part.scrollTop = scrolled.get(part.dataset.scroll) ?? 0;
        }
        const same = key && [...box.querySelectorAll('[data-key]')].find((part) => part.dataset.key === key);
        // A keyboard user whose button has gone goes on at the panel's first stop.
        const next = same || (active && box.querySelector('[data-first]'));
        next?.focus({ preventScroll: true });
    };

    // What was typed last before a press is told before it, whichever panel holds the field: the kernel would take
    // it for something chosen after the press.
    const press = (action, value) => {
        document.dispatchEvent(new Event(TOLD));
        tell(action, value);
    };
    box.addEventListener('click', ({ target }) => {
        const part = target.closest('[data-action]');
        if (!part || part.matches('input, select')) return;
        const field = fieldOf(part);
        if (field) field.value = '';
        press(part.dataset.action, part.dataset.value ?? '');
    });

    const waiting = new Map(); // field by action, so that one control takes nothing from another
    const typed = ({ target, isComposing }) => {
        const { action } = target.dataset;
        if (!action || isComposing) return; // half a syllable is no query
        clearTimeout(waiting.get(action)?.timer);
        waiting.set(action, { target, timer: setTimeout(() => tellTyped(action), TYPING_PAUSE) });
    };
    const tellTyped = (action) => {
        const { target, timer } = waiting.get(action);
        clearTimeout(timer);
        waiting.delete(action);
        tell(action, target.value);
    };
    const tellAllTyped = () => [...waiting.keys()].forEach(tellTyped);
    box.addEventListener('input', typed);
    box.addEventListener('compositionend', typed);
    document.addEventListener(TOLD, tellAllTyped);

    box.addEventListener('keydown', (event) => {
        if (!event.isComposing && walk(event, press)) event.preventDefault();
    });

    const pressed = new Press(box);
    const redraw = () => pressed.when(draw);
    model.on('change:html', redraw);
    draw();
    return () => {
        waiting.forEach(({ timer }) => clearTimeout(timer));
        document.removeEventListener(TOLD, tellAllTyped);
        pressed.remove();
        model.off('change:html', redraw);
    };
}

// The search field whose list of matches holds a button.
function fieldOf(part) {
    const list = part.closest('[data-matches]');
    return list && document.querySelector(`[aria-controls="${list.id}"]`);
}

// Arrow keys walk tabs sideways and matches up and down; whether the key meant something.
function walk({ key, target }, tell) {
    const tab = target.closest('[role=tab]');
    const side = { ArrowLeft: -1, ArrowRight: 1 }[key];
    if (tab && side) {
        const tabs = [...tab.closest('[role=tablist]').querySelectorAll('[role=tab]')];
        const next = tabs[(tabs.indexOf(tab) + side + tabs.length) % tabs.length];
        next.focus();
        next.click();
        return true;
    }
    const field = target.matches('[aria-controls]') ? target : fieldOf(target);
    const list = field && document.getElementById(field.getAttribute('aria-controls'));
    if (!field) return false;
    if (key === 'Escape') {
        field.value = '';
        field.focus();
        tell(field.dataset.action, '');
        return true;
    }
    const stops = [field, ...(list?.querySelectorAll('[data-action]') ?? [])];
    if (key === 'Enter' && target === field) {
        stops[1]?.click();
        return true;
    }
    const step = { ArrowUp: -1, ArrowDown: 1 }[key];
    if (!step) return false;
    stops[stops.indexOf(target) + step]?.focus();
    return true;
}

export default { render };
