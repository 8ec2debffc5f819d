// The way to the writer: same-origin requests, repeated with the same event id until it is known what became of them.

const PAUSES = [800, 2500]; // ms before the second and the third attempt
const AGAIN = new Set(['busy', 'network']); // answers after which the same may be asked again
const JSON_TYPE = { 'Content-Type': 'application/json' };
const UNSTATED = 'application/octet-stream';

export const NO_NETWORK = {
    ok: false,
    code: 'network',
    title: '网络不通，还不知道是否已经登记。填写的内容都还在，请稍后按“重试”：同一次操作不会重复登记。',
    lines: [],
};

// Takes an action to the ledger. The same action may be sent again: the ledger knows it by its event id.
export async function append(action) {
    return record('casework/append', action);
}

// Takes many dispatches to the ledger; the reply tells of each case what became of it.
export async function dispatch(actions) {
    return record('casework/dispatch', actions);
}

// Takes a decision on advice about a person to the ledger, which knows it by its id likewise.
export async function decide(decision) {
    return record('talent/decide', decision);
}

// Asks for the name of one person, for a reason; the server answers once the access log has it.
export async function nameOf(asked) {
    return record('talent/name', asked);
}

// Asks at a path for a file that the server makes; { ok: true, bytes } or a reply that says why not.
export async function fileOf(path, asked) {
    const response = await ask(path, JSON.stringify(asked), JSON_TYPE);
    if (response?.ok) return { ok: true, bytes: await response.arrayBuffer() };
    return (response && (await replyOf(response))) ?? { ...NO_NETWORK, title: '网络不通，文件没有取到，请稍后再试。' };
}

// Takes a file to the evidence folder, which knows it by its digest.
export async function upload(file) {
    const headers = { 'X-File-Name': encodeURIComponent(file.name), 'Content-Type': file.type || UNSTATED };
    return persist(() => send('casework/evidence', file, headers));
}

function record(path, told) {
    const body = JSON.stringify(told);
    return persist(() => send(path, body, JSON_TYPE));
}

async function persist(attempt) {
    let reply = null;
    for (const pause of [...PAUSES, null]) {
        reply = await attempt();
        if (reply && !AGAIN.has(reply.code)) return reply;
        if (pause !== null) await new Promise((done) => setTimeout(done, pause));
    }
    return reply ?? NO_NETWORK;
}

// The server's reply, or null where it is not known whether the request arrived.
async function send(path, body, headers) {
    const response = await ask(path, body, headers);
    return response && replyOf(response);
}

async function ask(path, body, headers) {
    try {
        return await fetch(base() + path, {
            method: 'POST',
            credentials: 'same-origin',
            cache: 'no-store',
            headers: { 'X-XSRFToken': cookie('_xsrf'), ...headers },
            body,
        });
    } catch {
        return null;
    }
}

async function replyOf(response) {
    let reply;
    try {
        reply = await response.json();
    } catch {
        reply = null;
    }
    if (typeof reply?.ok === 'boolean') return reply;
    if (response.status >= 502) return null;
    return { ok: false, title: `服务没有受理（HTTP ${response.status}）。`, lines: ['请刷新页面后再试；仍不行时请告诉管理员。'] };
}

function base() {
    const settings = document.getElementById('jupyter-config-data');
    return settings ? JSON.parse(settings.textContent).baseUrl : '/';
}

function cookie(name) {
    const found = document.cookie.split('; ').find((part) => part.startsWith(`${name}=`));
    return found ? decodeURIComponent(found.slice(name.length + 1)) : '';
}

// A random identifier (UUID version 4); crypto.randomUUID is not there on plain http.
export function uuid() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
    return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
