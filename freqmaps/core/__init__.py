"""What everything rests on: errors, devices, memory, components. It knows no stage, no store and no paper."""
