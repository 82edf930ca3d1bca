"use strict";
document.documentElement.dataset.charts = "drawn";
