return reading({})
