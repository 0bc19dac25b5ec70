"""What is wrong with a recording? Spoil a simulated one on purpose; the preprocessing says what it finds."""

import numpy as np

import muemg
from muemg.preprocessing import band_pass, find_bad_channels, remove_power_line

recording = muemg.simulate("demo-64", seed=2).recording.time_slice(0, 10)
signal = np.array(recording.signal)
signal += 1e-3 * np.sin(2 * np.pi * 50.02 * recording.times).astype(np.float32)  # the mains
signal[12] = 0  # a broken wire
limit = 2 * signal[40].std()
signal[40] = np.clip(signal[40], -limit, limit)  # an amplifier at its limit
spoiled = recording.with_signal(signal)

for channel, reason in find_bad_channels(spoiled).items():
    print(f"channel {channel}: {reason}")
good = [channel for channel in range(spoiled.n_channels) if channel not in find_bad_channels(spoiled)]
cleaned, lines = remove_power_line(spoiled.select_channels(good))
print("taken out:", ", ".join(f"{line:.2f} Hz" for line in lines))
filtered = band_pass(cleaned)
print(f"ready: {filtered}")
