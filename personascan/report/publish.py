"""A study from its recipe to its folder."""

from personascan.report.folder import refuse_other_study, study_folder, write_study
from personascan.study.config import StudyConfig
from personascan.study.run import Study, study_results


def run_study(config) -> Study:
    """Run a study and write its folder.

    Args:
      config: a StudyConfig, or a recipe (ml_collections ConfigDict or nested dicts) of its fields.

    Returns:
      Study. The folder `config.out` then holds study.json, places.csv, runs.csv, nodes.csv,
      overlaps.csv (and heads.csv, where head_out was scanned), figures and report.md; it appears
      whole or not at all.

    Raises:
      InputError: any field, file, persona, model or sample size at fault, and a folder that holds
        a study with another configuration.
    """
    if not isinstance(config, StudyConfig):
        config = StudyConfig.from_dict(config.to_dict() if hasattr(config, "to_dict") else config)
    with study_folder(config) as folder:
        found = study_results(config, lambda inputs: refuse_other_study(config, inputs["sha256"]))
        write_study(found, folder)
    return found
