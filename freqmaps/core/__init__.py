"""What all other packages use: errors, devices, memory, components. Nothing here refers to a stage, store or paper."""
