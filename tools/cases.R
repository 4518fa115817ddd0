# Makes published cases 53, 54 and 55 of tests/published/cases: Rscript tools/cases.R (metafor, metadat, jsonlite).
suppressMessages({library(metafor); library(metadat); library(jsonlite)})
options(warn = -1)
cases <- file.path("tests", "published", "cases")
tight <- list(threshold = 1e-14, tol = 1e-14, maxiter = 10000)

case <- function(id, title, published, values, data, notes = "") {
  engine <- list(R = as.character(getRversion()), metafor = as.character(packageVersion("metafor")),
                 metadat = as.character(packageVersion("metadat")))
  record <- list(id = id, title = title, published = published, data_csv = paste0("data/", id, ".csv"),
                 engine = engine, code = "tools/cases.R", notes = notes, values = lapply(values, function(v) list(value = v)))
  write(toJSON(record, auto_unbox = TRUE, digits = NA, na = "null", pretty = 1), file.path(cases, paste0(id, ".json")))
  write.csv(data, file.path(cases, "data", paste0(id, ".csv")), row.names = FALSE, quote = FALSE)
}

# ---- 53: NSAIDs against placebo. Limit meta-analysis by lm on the generalized radial plot; Copas by optim.
nsaids <- data.frame(
  events1 = c(23,69,79,35,10,23,20,35,56,28,10,44,21,17,34,25,38,85,53,16,18,6,26,41,33,30,18,22,18,39,30,11,44,67,24,7,21),
  n1 = c(30,123,102,49,15,50,32,50,84,40,23,92,50,20,42,30,60,118,64,20,30,12,32,84,46,38,20,26,21,51,30,13,90,83,29,10,25),
  events2 = c(10,54,45,13,2,13,9,40,33,16,3,40,19,3,11,13,27,46,52,6,5,0,13,33,13,22,13,14,13,9,19,0,40,38,14,1,12),
  n2 = c(30,116,102,42,15,50,24,50,84,40,24,89,50,20,40,30,60,113,66,20,30,12,28,84,42,36,22,26,22,47,30,12,89,86,27,10,25))
nsaids <- escalc("OR", ai = events1, n1i = n1, ci = events2, n2i = n2, data = nsaids)

limit <- function(y, v, method) {
  tau <- sqrt(rma(y, v, method = method, control = if (method == "REML") tight else list())$tau2)
  s <- sqrt(v + tau^2)
  radial <- lm(I(y / s) ~ I(1 / s))
  b <- coef(radial)
  contrast <- c(tau, 1)
  covariance <- vcov(radial) / sigma(radial)^2
  common <- lm(I(y / sqrt(v)) ~ I(1 / sqrt(v)))
  shrunken <- b[2] + tau / s * (y - b[2])
  q <- rma(y, v, method = "EE")$QE
  unname(c(sum(contrast * b), sqrt(drop(contrast %*% covariance %*% contrast)), b, q, q - deviance(common),
           deviance(common), 1 - summary(lm(I(shrunken / sqrt(v)) ~ I(1 / sqrt(v))))$r.squared))
}

# Minus the log-likelihood of Copas & Shi 2001, eq. 3.8, without its constant log(2 pi) k / 2; effects mu + b se.
copas <- function(p, u, y, s) {
  mills <- dnorm(u) / pnorm(u)
  total <- p[2]^2 + s^2 / (1 - p[3]^2 * mills * (u + mills))
  r <- p[3] * sqrt(1 - p[2]^2 / total)
  z <- (y - p[1] - p[4] * s) / sqrt(total)
  -sum(-0.5 * log(total) - 0.5 * z^2 - pnorm(u, log.p = TRUE) + pnorm((u + r * z) / sqrt(1 - r^2), log.p = TRUE))
}
highest <- function(u, y, s, slope) {
  best <- NULL
  for (rho in c(-0.9, -0.4, 0.01, 0.4, 0.9)) for (b in if (slope) c(-1, 0, 1, 3) else 0) for (tau in c(0.05, 0.5)) {
    free <- if (slope) 1:4 else 1:3
    f <- function(p) copas(c(p, 0)[1:4], u, y, s)
    o <- tryCatch(optim(c(mean(y), tau, rho, b)[free], f, method = "L-BFGS-B", lower = c(-Inf, 0, -0.9999, -Inf)[free],
                        upper = c(Inf, Inf, 0.9999, Inf)[free], control = list(factr = 1, maxit = 3000)),
                  error = function(e) NULL)
    if (!is.null(o) && (is.null(best) || o$value < best$value)) best <- o
  }
  best
}
values <- list("limit REML" = limit(nsaids$yi, nsaids$vi, "REML"), "limit DL" = limit(nsaids$yi, nsaids$vi, "DL"))
y <- as.numeric(nsaids$yi); s <- sqrt(nsaids$vi)
for (chance in c(0.3, 0.1)) {
  gamma1 <- (qnorm(0.99) - qnorm(chance)) / (1 / min(s) - 1 / max(s))
  u <- qnorm(chance) - gamma1 / max(s) + gamma1 / s
  plain <- highest(u, y, s, FALSE)
  sloped <- highest(u, y, s, TRUE)
  values[[paste("copas", chance)]] <- c(plain$par, -plain$value, -sloped$value, sum(1 / pnorm(u) - 1))
}
case("53_moore1998_limit_copas", "NSAIDs against placebo, 37 trials: limit meta-analysis, Copas selection model",
     "Moore et al. 1998, BMJ 316:333; Ruecker et al. 2011, Biostatistics 12:122; Copas & Shi 2001, Stat Methods Med Res 10:251",
     values, as.data.frame(nsaids),
     paste("limit: estimate, se, alpha_r, beta_r, Q, Q small, Q residual, G2; as metasens 1.0-1 and later, whose notes correct",
           "the standard error of earlier versions. copas: mu, tau, rho, log-likelihood without and with a slope,",
           "unpublished studies; the likelihoods are those of metasens too."))

# ---- 54: every estimator of tau2 and every test on data sets that differ in size, scale and heterogeneity.
sets <- list(
  raudenbush1985 = dat.raudenbush1985, bangertdrowns2004 = dat.bangertdrowns2004, hackshaw1998 = dat.hackshaw1998,
  li2007_OR = escalc("OR", ai = ai, n1i = n1i, ci = ci, n2i = n2i, data = dat.li2007),
  hine1989_RD = escalc("RD", ai = ai, n1i = n1i, ci = ci, n2i = n2i, data = dat.hine1989),
  lee2004_RR = escalc("RR", ai = ai, n1i = n1i, ci = ci, n2i = n2i, data = dat.lee2004),
  normand1999_SMD = escalc("SMD", m1i = m1i, sd1i = sd1i, n1i = n1i, m2i = m2i, sd2i = sd2i, n2i = n2i, data = dat.normand1999),
  curtis1998_ROM = escalc("ROM", m1i = m2i, sd1i = sd2i, n1i = n2i, m2i = m1i, sd2i = sd1i, n2i = n1i, data = dat.curtis1998),
  molloy2014_ZCOR = escalc("ZCOR", ri = ri, ni = ni, data = dat.molloy2014),
  nielweise2008_IRR = escalc("IRR", x1i = x1i, t1i = t1i, x2i = x2i, t2i = t2i, data = dat.nielweise2008),
  debruin2009_PLO = escalc("PLO", xi = xi, ni = ni, data = dat.debruin2009))
values <- list(); rows <- NULL
for (name in names(sets)) {
  y <- as.numeric(sets[[name]]$yi); v <- as.numeric(sets[[name]]$vi)
  ok <- is.finite(y) & is.finite(v); y <- y[ok]; v <- v[ok]
  rows <- rbind(rows, data.frame(set = name, yi = format(y, digits = 17), vi = format(v, digits = 17)))
  for (method in c("EE", "DL", "HE", "HS", "HSk", "SJ", "ML", "REML", "EB", "PM", "PMM")) {
    for (test in if (method %in% c("DL", "REML")) c("z", "t", "knha", "adhoc") else "z") {
      f <- NULL
      for (step in c(1, 0.5, 0.1)) if (is.null(f))
        f <- tryCatch(rma(y, v, method = method, test = test, control = c(tight, stepadj = step)), error = function(e) NULL)
      if (is.null(f)) next
      p <- predict(f)
      values[[paste(name, method, test)]] <- c(f$beta, f$se, f$pval, f$ci.lb, f$ci.ub, f$tau2, f$I2, f$H2, f$QE, f$QEp,
                                               if (method == "EE") c(NA, NA) else c(p$pi.lb, p$pi.ub))
    }
  }
}
case("54_metadat_sweep", "Eleven data sets of metadat: every estimator of tau2, every test", "metadat; metafor", values,
     rows, "estimate, se, p, interval, tau2, I2, H2, Q, p of Q, prediction interval; PMM where metafor finds it")

# ---- 55: Mantel-Haenszel, Peto, and the way back from the double arcsine, with zero cells.
tables <- list(
  yusuf1985 = with(subset(dat.yusuf1985, table == 6 & !is.na(ai)), data.frame(a = ai, n1 = n1i, c = ci, n2 = n2i)),
  damico2009 = with(dat.damico2009, data.frame(a = xt, n1 = nt, c = xc, n2 = nc)),
  axfors2021 = with(dat.axfors2021, data.frame(a = hcq_arm_event, n1 = hcq_arm_total, c = control_arm_event, n2 = control_arm_total)),
  nielweise2007 = with(dat.nielweise2007, data.frame(a = ai, n1 = n1i, c = ci, n2 = n2i)),
  viechtbauer2021 = with(dat.viechtbauer2021, data.frame(a = xTi, n1 = nTi, c = xCi, n2 = nCi)),
  nielweise2008 = with(dat.nielweise2008, data.frame(a = x1i, n1 = t1i, c = x2i, n2 = t2i)),
  pritz1997 = with(dat.pritz1997, data.frame(a = xi, n1 = ni, c = NA, n2 = NA)),
  debruin2009 = with(dat.debruin2009, data.frame(a = xi, n1 = ni, c = NA, n2 = NA)))
figures <- function(f) c(f$beta, f$se, f$pval, f$ci.lb, f$ci.ub, f$QE, f$QEp, f$I2)
values <- list(); rows <- NULL
for (name in names(tables)) {
  t <- tables[[name]]
  rows <- rbind(rows, data.frame(set = name, t))
  if (name %in% c("pritz1997", "debruin2009")) {
    e <- escalc("PFT", xi = t$a, ni = t$n1)
    p <- predict(rma(e, method = "DL"), transf = transf.ipft.hm, targs = list(ni = t$n1))
    values[[paste(name, "PFT")]] <- c(p$pred, p$ci.lb, p$ci.ub, p$pi.lb, p$pi.ub)
  } else if (name == "nielweise2008") {
    for (m in c("IRR", "IRD"))
      values[[paste(name, m)]] <- figures(rma.mh(measure = m, x1i = t$a, t1i = t$n1, x2i = t$c, t2i = t$n2))
  } else {
    for (m in c("OR", "RR", "RD")) {
      f <- rma.mh(measure = m, ai = t$a, n1i = t$n1, ci = t$c, n2i = t$n2)
      values[[paste(name, m)]] <- figures(f)
      if (m == "OR") values[[paste(name, "tests")]] <- c(f$BD, f$BDp, f$TA, f$TAp, f$MH, f$MHp)
    }
    values[[paste(name, "PETO")]] <- figures(rma.peto(ai = t$a, n1i = t$n1, ci = t$c, n2i = t$n2))
  }
}
case("55_counts_sweep", "Eight tables of metadat: Mantel-Haenszel, Peto, double arcsine and back", "metadat; metafor", values,
     rows, "estimate, se, p, interval, Q, p of Q, I2; tests: Breslow-Day, Tarone, Cochran-Mantel-Haenszel")
