"""Every parser of octets from outside, fed with what no honest sender writes.

    python -m tests.fuzz                       # ten minutes each
    python -m tests.fuzz html css --seconds 60
    python -m tests.fuzz --replay html FILE    # one input again

A target is one parser as the product calls it. Its inputs begin with samples, valid ones and those made to take long,
and with the inputs that failed once (`corpus/`); further ones are mutations of these, guided by the coverage of the
product's code where atheris can be had. An input fails where it raises what the parser does not declare, takes more
than a second of processor time, or more memory than a whole check may. test_fuzz.py does a little of it in CI.
"""
