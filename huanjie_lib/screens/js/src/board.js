// The desk of the case screen: what may be done with the case that is open, and the way to do it.
//
// The kernel says what may be done and has no right to do it: an action goes from here to the server, which knows
// who is logged in, and the kernel is then told to look again. What was typed stays here until the server has
// taken it. Everything is drawn with text nodes.

import { Desk, choicesOf, widgetOf } from './desk.js';
import { h } from './dom.js';
import { Draft, faultOf, formOf } from './form.js';
import { append, fileOf, upload, uuid } from './post.js';
import { save } from './save.js';
import { tellApart } from './toast.js';
import { Together, togetherOf } from './together.js';

const STALE = { title: '别人刚刚更新了本案，请核对后再提交。', lines: ['填写的内容都还在，上面是本案现在的情况。'] };

class Board extends Desk {
    constructor(model, root) {
        super(model, root, '办理');
        this.chosen = '';
        this.take();
        this.look(); // the kernel measures what takes a while once the page is there
    }

    hear(content) {
        if (content.fetch) this.handed(content);
    }

    // A file that the server makes and hands out once the access log has it.
    async handed({ fetch: asked, name, media_type: type }) {
        const reply = await fileOf('casework/file', { ...asked, entry_id: uuid() });
        tellApart(reply.ok ? null : faultOf(reply));
        if (reply.ok) save(name, type, reply.bytes);
    }

    leave() {
        if (this.task.case || this.task.together) super.leave();
    }

    // Another case, or the same one after something has happened to it.
    take() {
        const before = this.task;
        this.task = this.model.get('task');
        if (this.task.together) return this.takeTogether(before);
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

    // What waits has been filtered anew, or others have taken some of it.
    takeTogether(before) {
        const { about, cases } = this.task.together;
        const draft = this.drafts.get('together');
        if (draft?.about !== about || (!before.together && !draft.sent)) this.drafts.delete('together');
        else if (!draft.busy) {
            const listed = new Set(cases.map(({ case_id: id }) => id));
            for (const id of draft.chosen) if (!listed.has(id)) draft.chosen.delete(id);
        }
        if (!before.together) this.moveFocus('together', '');
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
        if (this.drafts.get(this.key)?.rows.length !== form.rows.length) this.drafts.delete(this.key);
        return this.kept(this.key, () => new Draft(form, this.task.today));
    }

    get key() {
        return `${this.task.case}/${this.form.event}`;
    }

    get place() {
        return this.task.case;
    }

    get version() {
        return this.task.version;
    }

    get form() {
        return this.open().find(({ event }) => event === this.chosen);
    }

    // Whether anything has been typed for this case that is neither taken nor on its way.
    typed() {
        return [...this.drafts].some(([key, { touched, busy }]) => touched && !busy && key.startsWith(`${this.place}/`));
    }

    draw() {
        const forms = this.task.forms ?? [];
        if (this.task.together) return this.drawTogether();
        if (!this.task.case) return this.show([]);
        const parts = [h('h2', {}, '办理'), ...this.told(faultOf)];
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
                    submit: () => this.record(),
                    files: (files) => this.attach(files),
                }),
            );
        }
        this.show(parts);
    }

    drawTogether() {
        const draft = this.kept('together', () => new Together(this.task));
        const send = async () => {
            const reply = await draft.send(this.task, () => this.draw());
            await this.press.over();
            this.draw();
            if (reply.ok) this.tell('written');
        };
        this.show(togetherOf(this.task, draft, { changed: () => this.draw(), submit: send }));
    }

    choices(forms) {
        const choices = forms.map(({ event, label, blockers }) => ({
            value: event,
            label,
            disabled: blockers.length > 0,
            title: blockers.join(''),
        }));
        return choicesOf('可以办理的事项', choices, this.chosen, (event) => {
            this.chosen = event;
            this.draw();
        });
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
            await this.press.over();
            draft.uploading--;
            if (!reply.ok) draft.refused.push([`“${file.name}”没有传上：${reply.title}`, ...reply.lines].join(''));
            else if (draft.evidence.every(({ digest }) => digest !== reply.evidence.digest)) {
                draft.evidence.push(reply.evidence);
            }
            this.draw();
        }
    }

    record() {
        const { form, draft, task } = this;
        const wanted = {
            case_id: task.case,
            event: form.event,
            happened_on: draft.happenedOn,
            expected_version: task.version,
            payload: draft.payload(form),
        };
        const done = `${form.label}已登记。`;
        return this.submit(this.key, wanted, { id: 'event_id', post: append, done, stale: STALE, about: task.case });
    }
}

function endingOf({ name }) {
    return name.includes('.') ? name.split('.').at(-1).toLowerCase() : '';
}

export default widgetOf(Board);
