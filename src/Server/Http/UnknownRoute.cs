using Microsoft.AspNetCore.Routing.Template;

namespace ManagedTransformers.Server;

/// <summary>Answers what no route takes: 405 where another method does, else 404 with the nearest route.</summary>
internal static class UnknownRoute
{
    public static Task AnswerAsync(HttpContext http)
    {
        string path = http.Request.Path.Value ?? "/";
        ApiRoute[] here = [.. ApiRoutes.All.Where(route => IsAt(route, http.Request.Path))];
        // Who asks for a chat wants the route that goes on with a text, not the one with the most letters in common.
        string asked = path[..Math.Min(path.Length, 100)].Replace("/chat/", "/", StringComparison.Ordinal);
        // A catch-all takes every path; what it stands for has a model's name in it.
        ApiRoute near = here.Length > 0 ? here[0] : ApiRoutes.All.MinBy(route => NearestNames.Distance(route.Pattern, asked))!;
        if (here.Length == 0)
            return ApiRunner.AnswerAsync(http, near.Protocol, new ApiException(Problem.NotFound,
                $"There is no route {http.Request.Method} {Shown(path)}; the nearest is {near.Key}."));
        http.Response.Headers.Allow = string.Join(", ", here.Select(route => route.Method).Distinct());
        return ApiRunner.AnswerAsync(http, near.Protocol, new ApiException(Problem.Method,
            $"{Shown(path)} takes {http.Response.Headers.Allow}, not {http.Request.Method}."));
    }

    private static bool IsAt(ApiRoute route, PathString path) => new TemplateMatcher(TemplateParser.Parse(route.Pattern), []).TryMatch(path, []);

    private static string Shown(string path) => path.Length <= 100 ? path : $"{path.AsSpan(0, 100)}…";
}
