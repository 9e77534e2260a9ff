"""Records of `device.py` as lines that a person reads."""


def line(part: str, record: dict) -> str:
    """A record as one line that a person reads."""
    r = record
    if part in ("skipped", "failed"):
        return f"{part:12} {r['what']} ({r['part']}): {r['reason']}"
    if part == "products":
        rate = r["flop_per_second_all_devices"] / 1e12
        return f"products     {r['dtype']}, {r['precision']} precision: {rate:.3g} TFLOP/s"
    if part == "transfer":
        put, fetched = (1e3 * r[f"{way}_device_seconds"] for way in ("to", "from"))
        return f"transfer     {r['what']}: {put:.2f} ms to the device, {fetched:.2f} ms from it"
    if part == "calibration":
        of_200, times = r["seconds_per_200_permutations"], r["times_faster_than_numpy"]
        return f"calibration  {r['what']}: {of_200:.1f} s per 200 permutations, {times:.0f} x NumPy"
    if part == "labelled":
        each, times = r["microseconds_per_labelling_and_place"], r["times_faster_than_numpy"]
        return f"labelled     {r['what']}: {each:.1f} us a labelling and place, {times:.1f} x NumPy"
    if part == "scan":
        return f"scan         {r['what']}{kind_of_scan(r)}: {r['median_seconds']:.3f} s"
    if "beside" in r:
        return f"extraction   {r['what']}, torch: {r['torch_tokens_per_second']:,.0f} tokens/s"
    return (
        f"extraction   {r['shape']} {r['dtype']}: {r['tokens_per_second']:,.0f} tokens/s, "
        f"{r['share_of_measured_product_rate']:.0%} of the products' rate"
    )


def kind_of_scan(record: dict) -> str:
    """Tail and starts of runs, or how many searches go side by side."""
    if "searches_side_by_side" in record:
        return f", {record['searches_side_by_side']} together"
    kind = f", {record['tail']}, {record['starts']} starts"
    times = record.get("times_faster_than_numpy")
    return kind if times is None else f"{kind} ({times:.0f} x NumPy)"
