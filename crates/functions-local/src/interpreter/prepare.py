def prepare(arguments):
    """Imports what the code imports, and nothing of the code itself."""
    import ast, importlib, os, sys

    # What widely used packages import only when they begin to work.
    late = {
        "anyio": ["anyio._backends._asyncio"],
        "openai": ["openai.resources.chat", "openai.resources.responses"],
        "uvicorn": [
            "uvicorn.lifespan.on",
            "uvicorn.loops.asyncio",
            "uvicorn.loops.auto",
            "uvicorn.protocols.http.auto",
            "uvicorn.protocols.websockets.auto",
        ],
    }
    root = os.getcwd()

    def own(*path):
        base = os.path.join(root, *path)
        return next((file for file in (base + ".py", os.path.join(base, "__init__.py")) if os.path.isfile(file)), None)

    def bring(name, parts=()):
        # What fails here fails again where it is meant, and is told there.
        try:
            module = importlib.import_module(name)
        except BaseException:
            return
        for part in parts:
            if part != "*" and not hasattr(module, part):
                bring(f"{name}.{part}")

    def statements(body):
        for statement in body:
            yield statement
            for inner in ("body", "orelse", "handlers", "finalbody"):
                if isinstance(statement, (ast.Try, ast.ExceptHandler, ast.If, ast.With)):
                    yield from statements(getattr(statement, inner, []))

    seen, files = set(), []

    def look_at(file):
        if file and file not in seen and len(seen) < 200 and os.path.isfile(file) and os.path.getsize(file) <= 1 << 20:
            seen.add(file)
            files.append(file)

    def wanted(name, parts=()):
        path = name.split(".")
        if own(path[0]) or os.path.isdir(os.path.join(root, path[0])) and path[0] != "python_modules":
            own_parts(path, parts)
        else:
            bring(name, parts)

    def own_parts(path, parts):
        look_at(own(*path))
        for part in parts:
            look_at(own(*path, part))

    if arguments[0] == "-m":
        wanted(arguments[1])
        for word in arguments[2:]:
            if ":" in word and all(part.isidentifier() for part in word.split(":")[0].split(".")):
                wanted(word.split(":")[0])
    else:
        look_at(os.path.abspath(arguments[0]))
    while files:
        file = files.pop()
        try:
            with open(file, "rb") as text:
                body = ast.parse(text.read()).body
        except (OSError, SyntaxError, ValueError, RecursionError):
            continue
        for statement in statements(body):
            if isinstance(statement, ast.Import):
                for alias in statement.names:
                    wanted(alias.name)
            elif isinstance(statement, ast.ImportFrom):
                parts = [alias.name for alias in statement.names]
                if statement.level == 0:
                    wanted(statement.module, parts)
                    continue
                above = os.path.relpath(os.path.dirname(file), root).split(os.sep)
                above = [part for part in above if part != "."]
                below = statement.module.split(".") if statement.module else []
                own_parts(above[: len(above) - statement.level + 1] + below, parts)
    for name, modules in late.items():
        for module in modules if name in sys.modules else []:
            bring(module)


import sys

prepare(sys.argv[1:])
del prepare
