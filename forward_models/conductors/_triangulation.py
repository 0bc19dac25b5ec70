"""Conforming triangulation of a labelled plane figure: boundaries between tissues are chains of edges.

The figure is a planar straight-line graph. Its curves are resampled to the wanted edge length, the inside is
filled with points whose density follows the same length, these relax as a truss under pressure (Persson &
Strang 2004), and the Delaunay triangulation is made conforming by halving the boundary edges that it misses.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import Delaunay, cKDTree

from forward_models._checks import ForwardModelError

__all__ = ["Triangulation", "chains", "node_segments", "triangulate"]


@dataclass(frozen=True)
class Triangulation:
    """Triangles with a label each.

    Parameters
    ----------
    points : ndarray, shape (n_points, 2)
        Corners in metres.
    triangles : ndarray of int, shape (n_triangles, 3)
        Corners of each triangle, counter-clockwise.
    labels : ndarray of int, shape (n_triangles,)
        Label of each triangle.
    boundary : ndarray of int, shape (n_edges, 2)
        Edges between different labels or on the outline.
    """

    points: np.ndarray
    triangles: np.ndarray
    labels: np.ndarray
    boundary: np.ndarray

    def quality(self) -> np.ndarray:
        """Smallest angle of each triangle in degrees."""
        corner = self.points[self.triangles]
        angles = []
        for i in range(3):
            a = corner[:, (i + 1) % 3] - corner[:, i]
            b = corner[:, (i + 2) % 3] - corner[:, i]
            angles.append(np.arctan2(np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]), (a * b).sum(1)))
        return np.degrees(np.min(angles, axis=0))


def node_segments(
    points: np.ndarray, segments: np.ndarray, snap: float = 1e-8
) -> tuple[np.ndarray, np.ndarray]:
    """Split segments where they cross or touch, and merge vertices closer than `snap` metres."""
    points, segments = np.asarray(points, float), np.asarray(segments, int)
    for _ in range(8):
        points, segments = _merge(points, segments, snap)
        a, b = points[segments[:, 0]], points[segments[:, 1]]
        first, second = _overlapping_boxes(a, b, snap)
        d1, d2 = b[first] - a[first], b[second] - a[second]
        offset = a[second] - a[first]
        cross = d1[:, 0] * d2[:, 1] - d1[:, 1] * d2[:, 0]
        length1, length2 = np.hypot(*d1.T), np.hypot(*d2.T)
        skew = np.abs(cross) > 1e-12 * length1 * length2
        safe = np.where(skew, cross, 1.0)
        t = (offset[:, 0] * d2[:, 1] - offset[:, 1] * d2[:, 0]) / safe
        u = (offset[:, 0] * d1[:, 1] - offset[:, 1] * d1[:, 0]) / safe
        e1, e2 = snap / length1, snap / length2
        hit = skew & (t > -e1) & (t < 1 + e1) & (u > -e2) & (u < 1 + e2)
        cuts = [(first[hit], t[hit], e1[hit]), (second[hit], u[hit], e2[hit])]
        # A vertex that lies on a parallel segment cuts it too.
        flat = ~skew
        for one, other, direction, length in ((first, second, d1, length1), (second, first, d2, length2)):
            for end in (a, b):
                along = ((end[other] - a[one]) * direction).sum(1) / length**2
                away = np.hypot(*(end[other] - a[one] - along[:, None] * direction).T)
                on = flat & (away < snap) & (along > 0) & (along < 1)
                cuts.append((one[on], along[on], (snap / length)[on]))
        owner = np.concatenate([c[0] for c in cuts])
        where = np.concatenate([c[1] for c in cuts])
        margin = np.concatenate([c[2] for c in cuts])
        inside = (where > margin) & (where < 1 - margin)
        owner, where = owner[inside], where[inside]
        if not len(owner):
            return points, segments
        order = np.lexsort((where, owner))
        owner, where = owner[order], where[order]
        new = a[owner] + where[:, None] * (b - a)[owner]
        index = len(points) + np.arange(len(new))
        keep = np.setdiff1d(np.arange(len(segments)), owner)
        starts = np.flatnonzero(np.r_[True, owner[1:] != owner[:-1]])
        pieces = [segments[keep]]
        for begin, end in zip(starts, [*starts[1:], len(owner)], strict=True):
            tail, head = segments[owner[begin]]
            path = np.r_[tail, index[begin:end], head]
            pieces.append(np.column_stack([path[:-1], path[1:]]))
        points, segments = np.vstack([points, new]), np.vstack(pieces)
    raise ForwardModelError("polygons cross one another in too many nearly coincident places; simplify them")


def _merge(points: np.ndarray, segments: np.ndarray, snap: float) -> tuple[np.ndarray, np.ndarray]:
    pairs = cKDTree(points).query_pairs(snap, output_type="ndarray")
    graph = coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(points),) * 2)
    _, cluster = connected_components(graph, directed=False)
    _, representative = np.unique(cluster, return_index=True)
    segments = np.sort(cluster[segments], axis=1)
    segments = np.unique(segments[segments[:, 0] != segments[:, 1]], axis=0)
    return points[representative], segments


def _overlapping_boxes(a: np.ndarray, b: np.ndarray, margin: float) -> tuple[np.ndarray, np.ndarray]:
    low, high = np.minimum(a, b) - margin, np.maximum(a, b) + margin
    middle, reach = (low + high) / 2, np.hypot(*(high - low).T) / 2
    found = cKDTree(middle).query_pairs(2 * reach.max(), output_type="ndarray")
    first, second = found[:, 0], found[:, 1]
    touch = ((low[first] <= high[second]) & (low[second] <= high[first])).all(axis=1)
    return first[touch], second[touch]


def chains(n_points: int, segments: np.ndarray) -> list[np.ndarray]:
    """Longest paths of segments between junctions; a closed curve without one repeats its first vertex."""
    neighbours: list[list[int]] = [[] for _ in range(n_points)]
    for i, j in segments:
        neighbours[i].append(int(j))
        neighbours[j].append(int(i))
    used: set[tuple[int, int]] = set()
    found = []

    def walk(start: int, following: int) -> None:
        path = [start]
        here, ahead = start, following
        while (min(here, ahead), max(here, ahead)) not in used:
            used.add((min(here, ahead), max(here, ahead)))
            path.append(ahead)
            if len(neighbours[ahead]) != 2 or ahead == start:
                break
            before, here = here, ahead
            ahead = neighbours[here][0] if neighbours[here][0] != before else neighbours[here][1]
        if len(path) > 1:
            found.append(np.array(path))

    junctions = [i for i in range(n_points) if len(neighbours[i]) not in (0, 2)]
    for start in junctions + [i for i in range(n_points) if len(neighbours[i]) == 2]:
        for following in neighbours[start]:
            walk(start, following)
    return found


def _resample(points: np.ndarray, segments: np.ndarray, size: Callable) -> tuple[np.ndarray, np.ndarray]:
    """The same curves with edges about as long as `size` says; junctions and sharp corners stay."""
    out_points: list[np.ndarray] = []
    out_segments: list[tuple[int, int]] = []
    at_junction: dict[int, int] = {}

    def junction(vertex: int) -> int:
        if vertex not in at_junction:
            at_junction[vertex] = len(out_points)
            out_points.append(points[vertex])
        return at_junction[vertex]

    for path in chains(len(points), segments):
        for piece in _split_at_corners(points, path):
            line = points[piece]
            arc = np.r_[0.0, np.cumsum(np.hypot(*np.diff(line, axis=0).T))]
            fine = np.linspace(0, arc[-1], max(int(np.ceil(4 * arc[-1] / size(line).min())), 8) + 1)
            along = np.column_stack([np.interp(fine, arc, line[:, i]) for i in (0, 1)])
            density = 1 / size(along)
            count = np.r_[0.0, np.cumsum((density[1:] + density[:-1]) / 2 * np.diff(fine))]
            closed = piece[0] == piece[-1]
            n_edges = max(int(np.ceil(count[-1])), 3 if closed else 1)
            stops = np.interp(np.linspace(0, count[-1], n_edges + 1), count, fine)
            new = np.column_stack([np.interp(stops, arc, line[:, i]) for i in (0, 1)])
            index = [junction(int(piece[0]))]
            for point in new[1:-1]:
                index.append(len(out_points))
                out_points.append(point)
            index.append(junction(int(piece[-1])))
            out_segments += list(pairwise(index))
    return np.array(out_points), np.array(out_segments)


def _split_at_corners(points: np.ndarray, path: np.ndarray, degrees: float = 50.0) -> list[np.ndarray]:
    line = points[path]
    edge = np.diff(line, axis=0)
    edge = edge / np.hypot(*edge.T)[:, None]
    sharp = np.flatnonzero((edge[1:] * edge[:-1]).sum(1) < np.cos(np.radians(degrees))) + 1
    stops = np.unique(np.r_[0, sharp, len(path) - 1])
    return [path[begin : end + 1] for begin, end in pairwise(stops)]


def triangulate(
    points: np.ndarray,
    segments: np.ndarray,
    size: Callable[[np.ndarray], np.ndarray],
    label_at: Callable[[np.ndarray], np.ndarray],
    *,
    n_relaxations: int = 25,
    seed: int = 0,
) -> Triangulation:
    """Triangulate the faces of a planar straight-line graph.

    Parameters
    ----------
    points : ndarray, shape (n, 2)
        Vertices in metres.
    segments : ndarray of int, shape (m, 2)
        Boundaries between labels and the outline; they meet only at vertices (see `node_segments`).
    size : callable
        Wanted edge length in metres at points of shape (n, 2).
    label_at : callable
        Label at points of shape (n, 2); negative outside the figure. Each face takes the label that most of
        its area has.
    n_relaxations : int
        Steps of the truss that evens out the inner points.
    seed : int
        Seed of the first placement.
    """
    fixed, edges = _resample(points, segments, size)
    inner = _fill(fixed, edges, size, label_at, seed)
    inner = _relax(fixed, edges, inner, size, n_relaxations)
    for _ in range(30):
        inner = _clear(fixed, edges, inner, size)
        nodes = np.vstack([fixed, inner])
        triangles = Delaunay(nodes).simplices
        missing = ~_present(edges, triangles, len(nodes))
        if not missing.any():
            break
        lost = edges[missing]
        middle = len(fixed) + np.arange(len(lost))
        fixed = np.vstack([fixed, fixed[lost].mean(axis=1)])
        edges = np.vstack(
            [edges[~missing], np.column_stack([lost[:, 0], middle]), np.column_stack([middle, lost[:, 1]])]
        )
    else:
        raise ForwardModelError(
            "the figure cannot be triangulated: two boundaries nearly touch; simplify them"
        )
    return _finish(nodes, triangles, edges, label_at)


def _fill(fixed: np.ndarray, edges: np.ndarray, size: Callable, label_at: Callable, seed: int) -> np.ndarray:
    smallest = np.hypot(*(fixed[edges[:, 0]] - fixed[edges[:, 1]]).T)
    low, high = fixed.min(axis=0), fixed.max(axis=0)
    step = min(float(np.median(smallest)), float(size(fixed).min()))
    x = np.arange(low[0], high[0], step)
    y = np.arange(low[1], high[1], step * np.sqrt(3) / 2)
    grid_x, grid_y = np.meshgrid(x, y)
    grid_x[1::2] += step / 2
    candidates = np.column_stack([grid_x.ravel(), grid_y.ravel()])
    random = np.random.default_rng(seed)
    wanted = size(candidates)
    candidates = candidates[random.random(len(candidates)) < (step / wanted) ** 2]
    candidates = candidates[label_at(candidates) >= 0]
    return _clear(fixed, edges, candidates, size)


def _clear(fixed: np.ndarray, edges: np.ndarray, inner: np.ndarray, size: Callable) -> np.ndarray:
    """Drop inner points inside a boundary edge's diametral circle (grown a little)."""
    middle = fixed[edges].mean(axis=1)
    reach = np.hypot(*(fixed[edges[:, 0]] - fixed[edges[:, 1]]).T) / 2
    distance, near = cKDTree(middle).query(inner, k=min(6, len(middle)))
    distance, near = distance.reshape(len(inner), -1), near.reshape(len(inner), -1)
    return inner[(distance > 1.15 * reach[near]).all(axis=1)]


def _relax(
    fixed: np.ndarray, edges: np.ndarray, inner: np.ndarray, size: Callable, n_steps: int
) -> np.ndarray:
    for step in range(n_steps):
        nodes = np.vstack([fixed, inner])
        triangles = Delaunay(nodes).simplices
        bars = np.unique(
            np.sort(np.vstack([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]]), 1), axis=0
        )
        span = nodes[bars[:, 1]] - nodes[bars[:, 0]]
        length = np.hypot(*span.T)
        rest = size(nodes[bars].mean(axis=1))
        rest = rest * 1.15 * np.sqrt((length**2).sum() / (rest**2).sum())
        if step % 8 == 4:  # crowded points go, so that the pressure is not carried by a few
            crowded = bars[(length < 0.6 * rest) & (bars[:, 1] >= len(fixed)), 1] - len(fixed)
            if len(crowded):
                inner = np.delete(inner, np.unique(crowded), axis=0)
                continue
        force = (np.maximum(rest - length, 0) / length)[:, None] * span
        total = np.zeros_like(nodes)
        for axis in (0, 1):
            total[:, axis] = np.bincount(bars[:, 1], force[:, axis], len(nodes))
            total[:, axis] -= np.bincount(bars[:, 0], force[:, axis], len(nodes))
        inner = _clear(fixed, edges, inner + 0.2 * total[len(fixed) :], size)
    return inner


def _present(edges: np.ndarray, triangles: np.ndarray, n_nodes: int) -> np.ndarray:
    sides = np.sort(np.vstack([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]]), axis=1)
    wanted = np.sort(edges, axis=1)
    return np.isin(wanted[:, 0] * n_nodes + wanted[:, 1], sides[:, 0] * n_nodes + sides[:, 1])


def _finish(nodes: np.ndarray, triangles: np.ndarray, edges: np.ndarray, label_at: Callable) -> Triangulation:
    n_nodes, n_triangles = len(nodes), len(triangles)
    sides = np.sort(np.vstack([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]]), axis=1)
    owner = np.tile(np.arange(n_triangles), 3)
    key = sides[:, 0] * n_nodes + sides[:, 1]
    wall = np.sort(edges, axis=1)
    wall_key = wall[:, 0] * n_nodes + wall[:, 1]
    order = np.argsort(key, kind="stable")
    same = key[order][1:] == key[order][:-1]
    left, right, shared = owner[order][:-1][same], owner[order][1:][same], key[order][1:][same]
    open_side = ~np.isin(shared, wall_key)
    graph = coo_matrix(
        (np.ones(open_side.sum()), (left[open_side], right[open_side])), shape=(n_triangles,) * 2
    )
    _, face = connected_components(graph, directed=False)
    a, b, c = (nodes[triangles[:, i]] for i in range(3))
    area = np.abs((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]) / 2
    vote = label_at((a + b + c) / 3)
    values, code = np.unique(vote, return_inverse=True)
    ballot = np.zeros((face.max() + 1, len(values)))
    np.add.at(ballot, (face, code), area)
    labels = values[ballot.argmax(axis=1)][face]
    outside_first = np.where(labels[left] < labels[right], labels[left], labels[right])
    differ = (labels[left] != labels[right]) | (outside_first < 0)
    kept = labels >= 0
    walls = shared[differ & (kept[left] | kept[right])]
    hull = np.setdiff1d(key[kept[owner]], shared)
    walls = np.concatenate([walls, hull])
    triangles = triangles[kept]
    turn = (b - a)[kept, 0] * (c - a)[kept, 1] - (b - a)[kept, 1] * (c - a)[kept, 0]
    triangles[turn < 0] = triangles[turn < 0][:, ::-1]
    used, compact = np.unique(triangles, return_inverse=True)
    renumber = np.full(n_nodes, -1)
    renumber[used] = np.arange(len(used))
    boundary = renumber[np.column_stack([walls // n_nodes, walls % n_nodes])]
    return Triangulation(nodes[used], compact.reshape(-1, 3), labels[kept], boundary)
