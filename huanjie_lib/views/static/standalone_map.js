// Draws the units of a standalone map. Names and reasons are set as text, never as HTML.
function huanjieMap(map, data) {
    'use strict';
    document.documentElement.lang = 'zh-CN';

    const hatch = (colour) => {
        const tile = document.createElement('canvas');
        tile.width = tile.height = 7;
        const pen = tile.getContext('2d');
        pen.strokeStyle = colour;
        pen.lineWidth = 1.1;
        for (const shift of [-7, 0, 7]) {
            pen.moveTo(shift, 7);
            pen.lineTo(shift + 7, 0);
        }
        pen.stroke();
        return pen.createPattern(tile, 'repeat');
    };
    const rings = (() => {
        const tile = document.createElement('canvas');
        tile.width = tile.height = 8;
        const pen = tile.getContext('2d');
        pen.arc(4, 4, 1.9, 0, 2 * Math.PI);
        pen.fillStyle = '#fff';
        pen.fill();
        pen.strokeStyle = '#1b2430';
        pen.lineWidth = 1.1;
        pen.stroke();
        return pen.createPattern(tile, 'repeat');
    })();
    const hatches = data.levels.map(({ hatch: colour }) => hatch(colour));
    const Renderer = L.Canvas.extend({
        _fillStroke(pen, layer) {
            L.Canvas.prototype._fillStroke.call(this, pen, layer);
            for (const pattern of layer.options.patterns) {
                pen.globalAlpha = 1;
                pen.fillStyle = pattern;
                pen.fill('evenodd');
            }
        },
    });
    const renderer = new Renderer({ padding: 0.3 });

    // A ring is a flat list of whole steps: the first vertex from the south-west corner, the rest from the
    // vertex before.
    const [west, south, step] = data.origin;
    function vertices(ring) {
        const spots = [];
        let [x, y] = [0, 0];
        for (let k = 0; k < ring.length; k += 2) {
            x += ring[k];
            y += ring[k + 1];
            spots.push([south + y * step, west + x * step]);
        }
        return spots;
    }

    function paragraphs(lines, more) {
        const box = document.createElement('div');
        for (const [n, line] of [...lines, ...more].entries()) {
            const p = box.appendChild(document.createElement('p'));
            p.textContent = line;
            p.style.margin = '0';
            p.className = n === 0 ? 'hj-name' : n < lines.length ? '' : 'hj-more';
        }
        return box;
    }

    const groups = data.levels.map(() => L.layerGroup().addTo(map));
    const drawn = [];
    for (const { level, verify, contested, lines, more, polygons } of data.units) {
        if (!polygons.length) continue;
        const options = {
            renderer,
            color: '#47525f',
            weight: data.units.length > 5000 ? 0.3 : 0.6,
            fillColor: data.levels[level].colour,
            fillOpacity: 1,
            patterns: [...(verify ? [hatches[level]] : []), ...(contested ? [rings] : [])],
            bubblingMouseEvents: false,
        };
        const shapes = polygons.map((rings) => rings.map(vertices));
        const isPoint = shapes[0][0].length === 1;
        const layer = isPoint
            ? L.circleMarker(shapes[0][0][0], { ...options, radius: 6, weight: 1 })
            : L.polygon(shapes, options);
        layer.bindTooltip(() => paragraphs(lines, []), { sticky: true, className: 'hj-tip', opacity: 1 });
        layer.bindPopup(() => paragraphs(lines, more), { maxWidth: 420 });
        layer.on('mouseover', () => layer.setStyle({ color: '#000', weight: 2.5 }));
        layer.on('mouseout popupopen', () => layer.setStyle({ color: options.color, weight: isPoint ? 1 : options.weight }));
        layer.on('popupopen', () => layer.closeTooltip());
        layer.addTo(groups[level]);
        drawn.push({ layer, level, name: lines[0] });
    }

    // Borders and names of the groups lie above the units and take no pointer events.
    const pane = map.createPane('borders');
    pane.style.zIndex = 450;
    pane.style.pointerEvents = 'none';
    const over = L.canvas({ pane: 'borders', padding: 0.3 });
    const places = data.groups.map(({ name, polygons, label }) => {
        const shapes = polygons.map((rings) => rings.map(vertices));
        L.polygon(shapes, { renderer: over, interactive: false, fill: false, color: '#1b2430', weight: 1.3 }).addTo(map);
        const text = document.createElement('span');
        text.textContent = name;
        const marker = L.marker(vertices(label)[0], {
            interactive: false,
            keyboard: false,
            icon: L.divIcon({ className: 'hj-place', html: text, iconSize: null }),
        }).addTo(map);
        return { marker, text, box: L.latLngBounds(shapes.flat(2)) };
    });

    // A name is shown where it fits into its group and touches no name already shown; large groups first.
    function placeNames() {
        const extent = ({ box }) => {
            const [low, high] = [map.latLngToLayerPoint(box.getSouthWest()), map.latLngToLayerPoint(box.getNorthEast())];
            return high.x - low.x;
        };
        const shown = [];
        for (const place of [...places].sort((a, b) => extent(b) - extent(a))) {
            const at = map.latLngToLayerPoint(place.marker.getLatLng());
            const [w, h] = [place.text.offsetWidth / 2 + 3, place.text.offsetHeight / 2];
            const fits =
                2 * w <= extent(place) &&
                shown.every((s) => Math.abs(s.x - at.x) >= s.w + w || Math.abs(s.y - at.y) >= s.h + h);
            place.marker.getElement().classList.toggle('hj-away', !fits);
            if (fits) shown.push({ x: at.x, y: at.y, w, h });
        }
    }
    map.on('zoomend', placeNames);

    for (const [n, box] of document.querySelectorAll('.hj-legend input').entries()) {
        const level = Number(box.value);
        box.checked = true;
        box.addEventListener('change', () => (box.checked ? groups[level].addTo(map) : groups[level].remove()));
    }

    const field = document.querySelector('.hj-find input');
    const found = document.querySelector('.hj-found');
    function show({ layer, level }) {
        found.hidden = true;
        const box = document.querySelector(`.hj-legend input[value="${level}"]`);
        if (!box.checked) box.click();
        if (layer.getBounds) map.fitBounds(layer.getBounds(), { maxZoom: 14, animate: false });
        else map.setView(layer.getLatLng(), 14, { animate: false });
        layer.openPopup(layer.getBounds ? layer.getCenter() : layer.getLatLng());
    }
    function search() {
        const wanted = field.value.trim();
        const matches = wanted ? drawn.filter(({ name }) => name.includes(wanted)) : [];
        found.replaceChildren();
        found.hidden = !wanted;
        for (const match of matches.slice(0, 8)) {
            const button = document.createElement('button');
            button.type = 'button';
            button.textContent = match.name;
            button.addEventListener('click', () => show(match));
            found.appendChild(document.createElement('li')).appendChild(button);
        }
        const rest = matches.length ? (matches.length > 8 ? `共 ${matches.length} 个，请再输入几个字` : '') : '没有找到';
        if (rest) found.appendChild(document.createElement('li')).appendChild(document.createElement('p')).textContent = rest;
        return matches;
    }
    field.addEventListener('input', search);
    field.addEventListener('keydown', (event) => {
        if (event.key === 'Enter') search().slice(0, 1).forEach(show);
        if (event.key === 'Escape') found.hidden = true;
    });
    map.on('click', () => (found.hidden = true));

    map.zoomControl.remove();
    L.control.zoom({ zoomInTitle: '放大', zoomOutTitle: '缩小' }).addTo(map);
    L.control.scale({ imperial: false, position: 'bottomright' }).addTo(map);
    if (drawn.length) map.fitBounds(data.bounds, { padding: [16, 16], animate: false });
    placeNames();
    document.fonts.ready.then(placeNames);
}
