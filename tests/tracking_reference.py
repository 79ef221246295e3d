"""A slow and obvious tracker with Python sets, to test the fast one against."""


def track(snapshots, *, min_stars=10, shared_fraction=0.25, long_lived=20.0, max_gap=None, min_shared=1):
    """Track clumps given as a list of snapshots, each a dict of ``time`` [Gyr] and ``clumps``.

    A clump is a dict of ``stars`` (a set), ``mass``, ``age`` [Gyr], ``t_ff`` [Myr], ``origin`` and ``sfr``. Returned are the clumps of all
    snapshots in one list, with the columns of stage ``tracked`` as further keys.
    """
    everything = []
    for number, snapshot in enumerate(snapshots):
        for clump in snapshot["clumps"]:
            new = {"progenitor": 0, "descendant": 0, "main": 0, "n_shared": 0, "gap": 0, "given": 0, "gap_after": 0}
            everything.append({**clump, **new, "snapshot": number, "time": snapshot["time"], "node": len(everything) + 1})
    tracked = [clump for clump in everything if len(clump["stars"]) >= min_stars]
    for number in range(len(snapshots)):
        claims = {}
        for target in (clump for clump in tracked if clump["snapshot"] == number):
            for earlier in range(number - 1, -1, -1):
                if max_gap is not None and number - earlier > max_gap:
                    break
                candidates = []
                for one in (clump for clump in tracked if clump["snapshot"] == earlier):
                    shared = len(one["stars"] & target["stars"])
                    if shared >= min_shared and shared / len(one["stars"]) >= shared_fraction - 1e-9:
                        candidates.append((one, shared))
                if candidates:
                    for one, shared in candidates:
                        claims.setdefault(one["node"], []).append((shared, target["mass"], -target["node"], target))
                    break
        won = {}
        for node, rivals in claims.items():
            if not everything[node - 1]["main"]:
                shared, _, _, target = max(rivals, key=lambda rival: rival[:3])
                won.setdefault(target["node"], []).append((everything[node - 1]["mass"], shared, -node))
        for node, progenitors in won.items():
            target = everything[node - 1]
            progenitors.sort(reverse=True)
            for rank, (_, shared, minus_node) in enumerate(progenitors):
                one = everything[-minus_node - 1]
                if rank == 0 or one["descendant"] == 0:
                    one["descendant"], one["main"], one["given"] = node, int(rank == 0), shared
                    one["gap_after"] = number - one["snapshot"]
                if rank == 0:
                    target["progenitor"], target["n_shared"] = one["node"], shared
                    target["gap"] = number - one["snapshot"]
    for clump in everything:
        clump["n_progenitors"] = sum(other["descendant"] == clump["node"] for other in everything)
    tracks = []
    for clump in tracked:
        if clump["progenitor"]:
            before = everything[clump["progenitor"] - 1]
            clump["t_clump"] = before["t_clump"] + 1e3 * (clump["time"] - before["time"])
            tracks[before["track"] - 1].append(clump)
            clump["track"] = before["track"]
        else:
            first = clump["snapshot"] == 0
            young = not first and clump["age"] <= clump["time"] - snapshots[clump["snapshot"] - 1]["time"]
            clump["t_clump"] = 1e3 * clump["age"] if young else 0.0
            tracks.append([clump])
            clump["track"] = len(tracks)
    for members in tracks:
        lifetime = members[-1]["t_clump"]
        t_ff = sum(clump["mass"] * clump["t_ff"] for clump in members) / sum(clump["mass"] for clump in members)
        longevity = "ZLC" if lifetime == 0 else "LLC" if lifetime >= long_lived * t_ff else "SLC"
        settled, fallen = (sum(c["mass"] for c in members if c["origin"] == origin) for origin in ("in situ", "ex situ"))
        for clump in members:
            clump["lifetime"], clump["t_ff_mean"] = lifetime, t_ff
            clump["longevity"] = longevity if clump["origin"] == "in situ" and fallen <= settled else ""
            clump["sf_zlc"] = int(clump["longevity"] == "ZLC" and clump["sfr"] > 0)
            clump["censored"] = int(members[-1]["snapshot"] == len(snapshots) - 1)
            clump["left_censored"] = int(members[0]["snapshot"] == 0)
    return everything
