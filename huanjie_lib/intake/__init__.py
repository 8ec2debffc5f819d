"""Intake: from returned workbooks and files to contract tables, with a report and a quarantine."""

from huanjie_lib.intake.folder import read_folder
from huanjie_lib.intake.report import InputFile, Intake, Issue, IssueLevel, write_report

__all__ = ["InputFile", "Intake", "Issue", "IssueLevel", "read_folder", "write_report"]
