import "date"

option task = {name: "standpipe_1h", every: 1h, offset: 10m}

// A whole day again each time: readings may come late.
until = date.truncate(t: now(), unit: 1h)
since = date.sub(d: 24h, from: until)

readings = from(bucket: "standpipe")
    |> range(start: since, stop: until)
    |> filter(fn: (r) => r._measurement == "hydrant" or r._measurement == "smoke")
numbers = readings |> filter(fn: (r) => r._field != "flowing" and r._field != "cap_open")
flags = readings |> filter(fn: (r) => r._field == "flowing" or r._field == "cap_open") |> toFloat()

hours = (tables=<-, name, fn) => tables
    |> aggregateWindow(every: 1h, fn: fn, createEmpty: false, timeSrc: "_start")
    |> toFloat()
    |> map(fn: (r) => ({r with _field: r._field + "_" + name}))
    |> to(bucket: "standpipe_1h")

numbers |> hours(name: "min", fn: min) |> yield(name: "numbers_min")
numbers |> hours(name: "mean", fn: mean) |> yield(name: "numbers_mean")
numbers |> hours(name: "max", fn: max) |> yield(name: "numbers_max")
numbers |> hours(name: "count", fn: count) |> yield(name: "numbers_count")
flags |> hours(name: "min", fn: min) |> yield(name: "flags_min")
flags |> hours(name: "mean", fn: mean) |> yield(name: "flags_mean")
flags |> hours(name: "max", fn: max) |> yield(name: "flags_max")
flags |> hours(name: "count", fn: count) |> yield(name: "flags_count")
