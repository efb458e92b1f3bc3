run app
