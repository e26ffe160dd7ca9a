"""Make a table or a figure and write its files."""

from freqmaps.core import components
from freqmaps.job import Job, main
from freqmaps.publish import NothingToShow, Table, blank, write_figure, write_table
from freqmaps.publish.doubts import warnings
from freqmaps.publish.networks import with_networks
from freqmaps.results.reader import Inputs


def run(job: Job) -> dict[str, object]:
    """Build the item from the results that it reads; where there is nothing to show, the item says so."""
    item = job.parameters["item"]
    inputs = Inputs.from_folders(job.all_inputs)
    reason = None
    try:
        output = components.load("item", item)(inputs, **job.parameters["parameters"])
    except NothingToShow as nothing:
        reason = str(nothing)
        output = blank(components.find("item", item).constants["KIND"], reason)
    output = with_networks(output, inputs)
    output.notes.extend(f"Warning: {sentence}." for sentence in warnings(inputs))
    if isinstance(output, Table):
        write_table(output, job.folder / f"{item}.csv", job.folder / f"{item}.tex", inputs.provenance())
    else:
        write_figure(output, job.folder / f"{item}.svg", job.folder / f"{item}.png", inputs.provenance())
    return {"nothing_to_show": reason}


if __name__ == "__main__":
    main(run)
