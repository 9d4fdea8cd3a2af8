"""The site in a box (`make lab`). Only this file differs from production: lab/site.py says how."""

from fleet import site
from lab.site import lab_site

gateway, gpu = site(__file__, lab_site())
