"""Make the report of the config as HTML and Markdown, its claims, and Table I in a few lines for the terminal."""

from pathlib import Path

import pandas as pd

from freqmaps.core.files import write_text
from freqmaps.job import Job, main
from freqmaps.provenance.manifest import origin
from freqmaps.publish.ledger import ledger
from freqmaps.publish.report import build_markdown, build_report, read_item, summary_lines
from freqmaps.results.reader import Inputs


def run(job: Job) -> dict[str, object]:
    """Read the items' files back, and the manifests of every result of the config, and fill the template."""
    templates, config = Path(job.options["templates"]), job.parameters["config"]
    folders = job.inputs.get("items", [])
    items = [read_item(folder) for folder in folders]
    inputs = Inputs.from_folders([f for f in job.all_inputs if f not in folders])
    page = build_report(
        items, inputs, config,
        template=(templates / "report.html.j2").read_text(encoding="utf-8"),
        workflow=(templates / "workflow.md").read_text(encoding="utf-8"),
        origin=origin(), atlas=job.parameters["atlas"],
    )  # fmt: skip
    write_text(job.folder / "report.html", page)
    text = build_markdown(items, inputs, title=f"Results of the study {config['study']}", origin=origin())
    write_text(job.folder / "report.md", text)
    claims = ledger({item.id: item.claims for item in items})
    write_text(job.folder / "claims.csv", claims.to_csv(index=False, lineterminator="\n"))
    table = next((folder / "B25-T1.csv" for folder in folders if (folder / "B25-T1.csv").exists()), None)
    summary = f"study {config['study']}" if table is None else summary_lines(pd.read_csv(table))
    write_text(job.folder / "summary.txt", summary + "\n")
    distinct = claims.drop_duplicates(["paper", "claim"])
    return {"items": len(items), "claims": len(distinct), "tests": len(claims)}


if __name__ == "__main__":
    main(run)
