"""What the optimisation of maps and of group maps shares: bases, objectives, the Adam step, compiled networks."""
