// The desk of the case screen: what may be done with the case that is open, and the way to do it.
//
// The kernel says what may be done and has no right to do it: an action goes from here to the server, which knows
// who is logged in, and the kernel is then told to look again. What was typed stays here until the server has
// taken it. Everything is drawn with text nodes.

import { h, redraw } from './dom.js';
import { Draft, faultOf, formOf } from './form.js';
import { append, upload, uuid } from './post.js';
import { save } from './save.js';

const LOOK_AGAIN = 20000; // ms between two looks for what other offices have done
const KNOWN = new Set(['refused', 'clash']); // answers after which nothing of an action has been recorded
const STALE = { title: '别人刚刚更新了本案，请核对后再提交。', lines: ['填写的内容都还在，上面是本案现在的情况。'] };

class Desk {
    constructor(model, root) {
        this.model = model;
        this.box = root.appendChild(h('div', { className: 'hj-panel-body', role: 'region', 'aria-label': '办理' }));
        this.drafts = new Map(); // by case and event
        this.task = {};
        this.chosen = '';
        this.done = '';
        this.note = null;

        this.handlers = {
            'change:task': () => this.take(),
            'msg:custom': (content, buffers) => content?.save && save(content, buffers[0]),
        };
        for (const [event, handler] of Object.entries(this.handlers)) model.on(event, handler);
        this.look = () => document.visibilityState === 'visible' && this.tell('look');
        this.looking = setInterval(this.look, LOOK_AGAIN);
        document.addEventListener('visibilitychange', this.look);
        this.escape = ({ key }) => key === 'Escape' && this.task.case && this.tell('close');
        document.addEventListener('keydown', this.escape);
        this.take();
        this.look(); // the kernel measures what takes a while once the page is there
    }

    tell(action, value = '') {
        this.model.send({ action, value });
    }

    // Another case, or the same one after something has happened to it.
    take() {
        const before = this.task;
        this.task = this.model.get('task');
        const { case: id = '', version } = this.task;
        if (before.case === id && before.version === version && this.box.childElementCount) return;
        if (before.case !== id) {
            this.done = '';
            this.note = null;
            this.chosen = '';
            this.moveFocus(id, before.case);
        } else if (version > before.version && !this.awaited && this.typed()) {
            this.note = STALE;
        }
        this.awaited = false;
        if (!this.open().some(({ event }) => event === this.chosen)) this.chosen = this.open()[0]?.event ?? '';
        this.draw();
    }

    // The keyboard goes along into the case and back to its card.
    moveFocus(id, before) {
        const key = id ? 'close-case' : `case-${before}`;
        requestAnimationFrame(() => document.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus());
    }

    open() {
        return (this.task.forms ?? []).filter(({ blockers }) => !blockers.length);
    }

    // The draft of the form that is open.
    get draft() {
        const form = this.form;
        const key = `${this.task.case}/${form.event}`;
        let draft = this.drafts.get(key);
        if (!draft || draft.rows.length !== form.rows.length) {
            draft = new Draft(form, this.task.today);
            this.drafts.set(key, draft);
        }
        return draft;
    }

    get form() {
        return this.open().find(({ event }) => event === this.chosen);
    }

    // Whether anything has been typed for this case that has not been taken.
    typed() {
        return [...this.drafts].some(([key, { touched }]) => touched && key.startsWith(`${this.task.case}/`));
    }

    draw() {
        const forms = this.task.forms ?? [];
        if (!this.task.case) return redraw(this.box, []);
        const parts = [h('h2', {}, '办理')];
        if (this.done) parts.push(h('p', { className: 'hj-done', role: 'status' }, this.done));
        if (this.note) parts.push(faultOf(this.note));
        if (forms.length) parts.push(this.choices(forms));
        const shut = forms.filter(({ blockers }) => blockers.length);
        const reasons = new Set(shut.flatMap(({ label, blockers }) => blockers.map((reason) => `${label}：${reason}`)));
        if (reasons.size) {
            parts.push(h('ul', { className: 'hj-blockers' }, ...[...reasons].map((reason) => h('li', {}, reason))));
        }
        if (!forms.length) parts.push(h('p', { className: 'hj-lead' }, this.task.nothing));
        if (this.form) {
            parts.push(
                formOf(this.form, this.task, this.draft, {
                    changed: () => this.draw(),
                    submit: () => this.submit(),
                    files: (files) => this.attach(files),
                }),
            );
        }
        redraw(this.box, parts);
    }

    choices(forms) {
        const group = h('div', { className: 'hj-acts', role: 'group', 'aria-label': '可以办理的事项' });
        for (const { event, label, blockers } of forms) {
            const button = h(
                'button',
                {
                    type: 'button',
                    disabled: blockers.length > 0,
                    title: blockers.join(''),
                    'data-key': `act-${event}`,
                    'aria-pressed': String(event === this.chosen),
                },
                label,
            );
            button.addEventListener('click', () => {
                this.chosen = event;
                this.draw();
            });
            group.append(button);
        }
        return group;
    }

    async attach(files) {
        const { draft, task } = this;
        draft.refused = [];
        draft.touched = true;
        for (const file of files) {
            if (!file.size) draft.refused.push(`“${file.name}”是空文件，没有上传。`);
            else if (!task.endings.includes(endingOf(file))) draft.refused.push(`“${file.name}”不是可以上传的文件类型。`);
            else if (file.size > task.most_bytes) draft.refused.push(`“${file.name}”超过单个文件的大小上限，没有上传。`);
        }
        const fits = (file) => file.size && file.size <= task.most_bytes && task.endings.includes(endingOf(file));
        const taken = files.filter(fits);
        draft.uploading += taken.length;
        this.draw();
        for (const file of taken) {
            const reply = await upload(file);
            draft.uploading--;
            if (!reply.ok) draft.refused.push([`“${file.name}”没有传上：${reply.title}`, ...reply.lines].join(''));
            else if (draft.evidence.every(({ digest }) => digest !== reply.evidence.digest)) {
                draft.evidence.push(reply.evidence);
            }
            this.draw();
        }
    }

    async submit() {
        const { form, draft, task } = this;
        const wanted = {
            case_id: task.case,
            event: form.event,
            happened_on: draft.happenedOn,
            expected_version: task.version,
            payload: draft.payload(form),
        };
        // What may have arrived is repeated under its id; anything else is another action.
        const { event_id: sent, ...before } = draft.sent ?? {};
        const same = sent && JSON.stringify(before) === JSON.stringify(wanted);
        draft.sent = { event_id: same ? sent : uuid(), ...wanted };
        draft.busy = true;
        draft.fault = null;
        this.done = '';
        this.note = null;
        this.draw();

        const reply = await append(draft.sent);
        draft.busy = false;
        if (reply.ok) {
            this.drafts.delete(`${task.case}/${form.event}`);
            this.awaited = true;
            this.done = `${form.label}已登记。`;
        } else if (reply.code === 'stale') {
            draft.sent = null;
            this.note = STALE;
            this.awaited = true;
        } else {
            if (KNOWN.has(reply.code)) draft.sent = null;
            draft.fault = reply;
        }
        this.draw();
        if (reply.ok || reply.code === 'stale') this.tell('written', task.case);
    }

    remove() {
        clearInterval(this.looking);
        document.removeEventListener('visibilitychange', this.look);
        document.removeEventListener('keydown', this.escape);
        for (const [event, handler] of Object.entries(this.handlers)) this.model.off(event, handler);
        this.box.remove();
    }
}

function endingOf({ name }) {
    return name.includes('.') ? name.split('.').at(-1).toLowerCase() : '';
}

function render({ model, el: root }) {
    const desk = new Desk(model, root);
    return () => desk.remove();
}

export default { render };
