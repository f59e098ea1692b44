"""Reports: what leaves the workbench, as one page or one file.

Read ``report.py`` first: a run's ``report.html``. ::

    report          a run as one page that asks no network for anything
    templates/      its HTML
    views           its live blocks, from whoever offers some
    pages           live pages of a run, a file each
    notebook_page   an executed notebook as one still page
    formulas        TeX of markdown as inline SVG
    tables          a table as CSV, Parquet, Markdown or LaTeX
    export          a trained model as one file for other programs, compared before it is kept
    export_forms    the forms of that file
    demo            ``vptsp demo``: train, evaluate and report on the embedded default
"""
