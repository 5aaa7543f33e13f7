import "date"

option task = {name: "standpipe_1h", every: 1h, offset: 10m}

age = 0h
length = 3h

until = date.sub(d: age, from: date.truncate(t: now(), unit: 1h))
since = date.sub(d: length, from: until)

// One step for both: there is a table a series, and each step is paid for half a million times.
keep_as = (tables=<-, name) => tables
    |> map(fn: (r) => ({r with _field: r._field + "_" + name, _value: float(v: r._value)}))
    |> to(bucket: "standpipe_1h")

// Each fold asks anew, so that InfluxDB folds where it reads; one answer for all of them would
// first be held in memory.
numbers = (name, fn) => from(bucket: "standpipe")
    |> range(start: since, stop: until)
    |> filter(fn: (r) => r._measurement == "hydrant" or r._measurement == "smoke")
    |> filter(fn: (r) => r._field != "flowing" and r._field != "cap_open")
    |> aggregateWindow(every: 1h, fn: fn, createEmpty: false, timeSrc: "_start")
    |> keep_as(name: name)

flags = (name, fn) => from(bucket: "standpipe")
    |> range(start: since, stop: until)
    |> filter(fn: (r) => r._measurement == "hydrant")
    |> filter(fn: (r) => r._field == "flowing" or r._field == "cap_open")
    |> toFloat()
    |> aggregateWindow(every: 1h, fn: fn, createEmpty: false, timeSrc: "_start")
    |> keep_as(name: name)

numbers(name: "min", fn: min) |> yield(name: "numbers_min")
numbers(name: "mean", fn: mean) |> yield(name: "numbers_mean")
numbers(name: "max", fn: max) |> yield(name: "numbers_max")
numbers(name: "count", fn: count) |> yield(name: "numbers_count")
flags(name: "min", fn: min) |> yield(name: "flags_min")
flags(name: "mean", fn: mean) |> yield(name: "flags_mean")
flags(name: "max", fn: max) |> yield(name: "flags_max")
flags(name: "count", fn: count) |> yield(name: "flags_count")
