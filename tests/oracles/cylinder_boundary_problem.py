"""Slow oracle: layered cylinder with a source, one dense boundary-value problem per order and k, in `mpmath`.

Shares no code with `forward_models`. Farina et al. 2004: muscle (1/σ_ρ) I_n(mkρ_<) K_n(mkρ_>) + C I_n + D
K_n, bone E I_n, fat and skin A I_n + B K_n; potential and normal current continuous, none through the skin.
"""

import mpmath as mp


def _pair(n, x, scale):
    """I, xI′ relative to I at `scale`; K, xK′ relative to K at `scale`."""
    i, k = mp.besseli(n, scale), mp.besselk(n, scale)
    slope_i = x * (mp.besseli(n - 1, x) + mp.besseli(n + 1, x)) / 2
    slope_k = -x * (mp.besselk(n - 1, x) + mp.besselk(n + 1, x)) / 2
    return mp.besseli(n, x) / i, slope_i / i, mp.besselk(n, x) / k, slope_k / k


def skin_potential(n, k, rho, *, radii, sx, sz, sf, ss, bone=None, sb=None):
    """Potential of order n on the skin per source at radius rho; radii = (muscle, fat, skin surfaces)."""
    mp.mp.dps = 30
    k, rho = mp.mpf(k), mp.mpf(rho)
    r1, r2, r3 = (mp.mpf(r) for r in radii)
    mk = mp.sqrt(mp.mpf(sz) / sx) * k
    size = 5 if bone is None else 7
    m, b = mp.matrix(size, size), mp.matrix(size, 1)
    inner_scale = mk * (mp.mpf(bone) if bone is not None else r1)
    # Muscle's surface. Unknowns: C, A_fat, B_fat, A_skin, B_skin [, D, E].
    i, di, kk, dk = _pair(n, mk * r1, mk * r1)
    fi, fdi, fk, fdk = _pair(n, k * r1, k * r1)
    source_i = mp.besseli(n, mk * rho) * mp.besselk(n, mk * r1) / sx
    m[0, 0], m[0, 1], m[0, 2], b[0] = i, -fi, -fk, -source_i * kk
    m[1, 0], m[1, 1], m[1, 2], b[1] = sx * di, -sf * fdi, -sf * fdk, -sx * source_i * dk
    fi, fdi, fk, fdk = _pair(n, k * r2, k * r1)
    gi, gdi, gk, gdk = _pair(n, k * r2, k * r2)
    m[2, 1], m[2, 2], m[2, 3], m[2, 4] = fi, fk, -gi, -gk
    m[3, 1], m[3, 2], m[3, 3], m[3, 4] = sf * fdi, sf * fdk, -ss * gdi, -ss * gdk
    ti, tdi, tk, tdk = _pair(n, k * r3, k * r2)
    m[4, 3], m[4, 4] = tdi, tdk
    if bone is not None:
        rb = mp.mpf(bone)
        _, _, kk, dk = _pair(n, mk * r1, inner_scale)
        m[0, 5], m[1, 5] = kk, sx * dk
        i, di, _, _ = _pair(n, inner_scale, mk * r1)
        _, _, kk, dk = _pair(n, inner_scale, inner_scale)
        bi, bdi, _, _ = _pair(n, k * rb, k * rb)
        source_k = mp.besselk(n, mk * rho) * mp.besseli(n, mk * r1) / sx
        m[5, 0], m[5, 5], m[5, 6], b[5] = i, kk, -bi, -source_k * i
        m[6, 0], m[6, 5], m[6, 6], b[6] = sx * di, sx * dk, -sb * bdi, -sx * source_k * di
    x = mp.lu_solve(m, b)
    return float(x[3] * ti + x[4] * tk)
