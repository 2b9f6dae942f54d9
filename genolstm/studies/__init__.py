"""What such a memory can and cannot hold: one small file a claim, each tested against a closed form or an oracle."""
