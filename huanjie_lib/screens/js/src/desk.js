// What the desks of the screens share: a box that is drawn from a task, drafts that outlast a redraw, and the way of a
// draft to the ledger. The kernel tells what may be done and has no right to do it: what is sent goes to the server,
// which knows who is logged in, and the kernel is then told to look again.

import { h, redraw } from './dom.js';
import { uuid } from './post.js';
import { Press } from './press.js';

const LOOK_AGAIN = 20000; // ms between two looks for what others have done
const KNOWN = new Set(['refused', 'clash']); // answers after which nothing has been recorded

export class Desk {
    constructor(model, root, label) {
        this.model = model;
        this.box = root.appendChild(h('div', { className: 'hj-panel-body', role: 'region', 'aria-label': label }));
        this.drafts = new Map(); // by what they are about
        this.task = {};
        this.done = '';
        this.note = null; // what has changed under a draft
        this.awaited = false; // whether the next task follows from what was sent here

        this.press = new Press(this.box);
        const take = () => this.take();
        this.handlers = {
            'change:task': () => this.press.when(take),
            'msg:custom': (content) => this.hear(content ?? {}),
        };
        for (const [event, handler] of Object.entries(this.handlers)) model.on(event, handler);
        this.look = () => document.visibilityState === 'visible' && this.tell('look');
        this.looking = setInterval(this.look, LOOK_AGAIN);
        document.addEventListener('visibilitychange', this.look);
        this.escape = ({ key }) => key === 'Escape' && this.leave();
        document.addEventListener('keydown', this.escape);
    }

    tell(action, value = '') {
        this.model.send({ action, value });
    }

    leave() {
        this.tell('close');
    }

    show(parts) {
        redraw(this.box, parts);
    }

    // The draft about something, made when it is first asked for.
    kept(key, make) {
        if (!this.drafts.has(key)) this.drafts.set(key, make());
        return this.drafts.get(key);
    }

    // What has just been done, and what has changed under what was typed, as elements.
    told(fault) {
        return [
            this.done ? h('p', { className: 'hj-done', role: 'status' }, this.done) : null,
            this.note ? fault(this.note) : null,
        ].filter(Boolean);
    }

    // Sends what is wanted. What may have arrived is repeated under its id; anything else is sent under another.
    async send(draft, wanted, id, post) {
        const { [id]: sent, ...before } = draft.sent ?? {};
        const same = sent && JSON.stringify(before) === JSON.stringify(wanted);
        draft.sent = { [id]: same ? sent : uuid(), ...wanted };
        draft.busy = true;
        draft.fault = null;
        this.draw();
        const reply = await post(draft.sent);
        await this.press.over();
        draft.busy = false;
        if (!reply.ok) {
            if (KNOWN.has(reply.code)) draft.sent = null;
            draft.fault = reply;
        }
        return reply;
    }

    // Takes a draft to the ledger: it goes when it has been recorded, and stays as it was where others came first.
    // The answer may come when something else is open, or after the kernel has told of what it is about.
    async submit(key, wanted, { id, post, done, stale, about = '' }) {
        const draft = this.drafts.get(key);
        const { place, version } = this;
        this.done = '';
        this.note = null;
        const reply = await this.send(draft, wanted, id, post);
        const late = reply.code === 'stale';
        const here = this.place === place;
        if (reply.ok) this.drafts.delete(key);
        else if (late) draft.sent = draft.fault = null;
        if (here && (reply.ok || late)) {
            this.done = reply.ok ? done : '';
            this.note = late ? stale : null;
            this.awaited = this.version === version;
        }
        this.draw();
        if (reply.ok || late) this.tell('written', about);
        return reply;
    }

    remove() {
        clearInterval(this.looking);
        document.removeEventListener('visibilitychange', this.look);
        document.removeEventListener('keydown', this.escape);
        for (const [event, handler] of Object.entries(this.handlers)) this.model.off(event, handler);
        this.press.remove();
        this.box.remove();
    }
}

// A group of buttons of which one is pressed: {value, label, disabled, title} each.
export function choicesOf(label, choices, chosen, pick) {
    const group = h('div', { className: 'hj-acts', role: 'group', 'aria-label': label });
    for (const { value, label: text, disabled = false, title = '' } of choices) {
        const button = h(
            'button',
            {
                type: 'button',
                disabled,
                title,
                'data-key': `act-${value}`,
                'aria-pressed': String(value === chosen),
            },
            text,
        );
        button.addEventListener('click', () => pick(value));
        group.append(button);
    }
    return group;
}

// What an anywidget module exports for a desk.
export function widgetOf(Kind) {
    return {
        render({ model, el: root }) {
            const desk = new Kind(model, root);
            return () => desk.remove();
        },
    };
}
