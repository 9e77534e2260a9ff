"""The documentation as a site: sphinx-build -W -b html docs out/site (extra `docs`).

Pages are plain Markdown that a forge shows as well; what the site adds is in `_site`. Nothing is
fetched while it is built, and notebooks are shown with the outputs that are stored in them.
"""

import pathlib
import sys

DOCS = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(DOCS), str(DOCS.parent)]

project = "personascan"
html_title = project
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "_site.docstrings",
    "_site.formulas",
    "_site.pages",
    "_site.public_names",
]
exclude_patterns = ["_site"]

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4  # links to headings, as forges make them
nb_execution_mode = "off"  # tests execute the notebooks
nb_merge_streams = True
smartquotes_action = "D"  # dashes alone: quoted values stay as they are typed

add_module_names = False
autodoc_typehints_format = "short"
highlight_language = "none"  # blocks that name no language are for a shell
default_role = "code"  # one backtick in a docstring is code
maximum_signature_line_length = 72
napoleon_numpy_docstring = False
napoleon_use_rtype = False  # a result and its description stay one sentence
python_use_unqualified_type_names = True

html_math_renderer = "mathml"
html_theme = "furo"
html_copy_source = False
html_show_copyright = False
html_static_path = ["_site/static"]
html_css_files = ["site.css"]
