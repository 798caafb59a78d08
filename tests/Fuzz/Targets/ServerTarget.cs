using System.Runtime.ExceptionServices;
using System.Text;
using System.Text.Json;
using ManagedTransformers.Models;
using ManagedTransformers.Server;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace ManagedTransformers.Fuzz;

/// <summary>Bodies of requests: a line with the route, and the body. They go through the routes' own code, without a network, to tiny models.</summary>
/// <remarks>Engines work on threads of their own, so the branches that are counted here depend a little on time.</remarks>
internal static class ServerTarget
{
    private static readonly ApiRoute[] s_routes = [.. ApiRoutes.All.Where(route => route.Method == "POST")];

    private static readonly Lazy<IServiceProvider> s_services = new(Start);

    private static Exception? s_failure;

    public static FuzzTarget Target { get; } = new("server-requests", new RequestMutator(), Requests, Answer)
    {
        IsRefusal = static e => e is RefusedException, ShortRun = 600,
    };

    /// <summary>A body for each kind of request, sent to each route of its protocol.</summary>
    private static IEnumerable<byte[]> Requests()
    {
        string[] bodies =
        [
            """{"prompt":"def f():","max_tokens":3,"temperature":0.5,"top_p":0.9,"seed":1,"n":2,"logprobs":2,"echo":true,"stop":["x"]}""",
            """{"prompt":"a","logit_bias":{"5":-100},"min_p":0.1,"best_of":2,"ignore_eos":true,"stop_token_ids":[3]}""",
            """{"prompt":["a","b"],"suffix":"c","stream":true,"stream_options":{"include_usage":true},"max_tokens":2,"random_seed":1}""",
            """{"prompt":[[1,2],"a"],"n_predict":3,"n_probs":2,"samplers":["top_k","temperature"],"repeat_penalty":1.1}""",
            """{"input_prefix":"def f(","input_suffix":")","input_extra":[{"text":"a","filename":"b"}],"n_predict":2,"stream":true}""",
            """{"inputs":"a <mask> b","parameters":{"top_k":3,"max_new_tokens":2,"details":true},"options":{"wait_for_model":true}}""",
            """{"inputs":{"source_sentence":"a","sentences":["b","c"]},"truncate":true}""", """{"inputs":["a","b"],"truncate":true,"normalize":false}""",
            """{"inputs":[["a","b"]],"raw_scores":true,"truncation_direction":"Left"}""", """{"query":"a","texts":["b","c"],"return_text":true}""",
            """{"query":"a","documents":["b",{"text":"c"}],"top_n":1,"return_documents":true}""",
            """{"input":["a","b"],"encoding_format":"base64","dimensions":4}""",
            """{"content":"a b","add_special":true,"with_pieces":true}""", """{"tokens":[1,2,3]}""", """{"ids":[[1,2]],"skip_special_tokens":true}""",
        ];
        return s_routes.SelectMany(route => bodies.Select(body => Seeds.Utf8($"{route.Key}\n{body}")));
    }

    private static void Answer(byte[] input)
    {
        int end = Array.IndexOf(input, (byte)'\n');
        string key = Encoding.UTF8.GetString(input.AsSpan(0, Math.Max(end, 0)));
        if (Array.Find(s_routes, route => route.Key == key) is not ApiRoute route)
            throw new RefusedException();
        using var answer = new MemoryStream();
        using IServiceScope scope = s_services.Value.CreateScope();
        var http = new DefaultHttpContext { RequestServices = scope.ServiceProvider };
        http.Request.Method = route.Method;
        http.Request.ContentType = "application/json";
        http.Request.Body = new MemoryStream(input[(end + 1)..]);
        http.Response.Body = answer;
        foreach (string name in new[] { "engine", "id", "name", "org" })
            http.Request.RouteValues[name] = "codegen-mono-8192";
        s_failure = null;
        s_services.Value.GetRequiredService<ApiRunner>().RunAsync(http, route).GetAwaiter().GetResult();
        if (s_failure is not null)
            ExceptionDispatchInfo.Throw(s_failure);
        int status = http.Response.StatusCode;
        Oracle.Require(status is 200 or (>= 400 and not 500), $"{key} answers {status}");
        if (http.Response.ContentType?.StartsWith("application/json", StringComparison.Ordinal) == true)
            JsonDocument.Parse(answer.ToArray()).Dispose();
        if (status != StatusCodes.Status200OK)
            throw new RefusedException();
    }

    private static IServiceProvider Start()
    {
        string decoder = TinyModels.Make<ICausalLM>("codegen-mono", 8192), masked = TinyModels.Make<IMaskedLM>("roberta-mlm", 8192);
        string classifier = TinyModels.Make<ISequenceClassifier>("roberta-classify", 8192);
        foreach ((string model, string tokenizer) in new[] { (decoder, "codegen-python-8k"), (masked, "roberta-code-8k"), (classifier, "roberta-code-8k") })
        {
            foreach (string file in Directory.EnumerateFiles(Path.Combine(Seeds.Data, "tokenizers", tokenizer), "*.json"))
                File.Copy(file, Path.Combine(model, Path.GetFileName(file)), overwrite: true);
        }
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders().AddProvider(new FailureLog());
        builder.Services.AddManagedTransformersServer(new ServerOptions
        {
            Models = [decoder, masked, classifier], MaxInputs = 16,
            Pipeline = new PipelineOptions { Load = new LoadOptions { Kernels = new() { MaxThreads = 1 } } },
        });
        return builder.Build().Services;
    }

    /// <summary>A request that was answered with an error of the client's, as it must be.</summary>
    private sealed class RefusedException : Exception;

    /// <summary>What the server says of a request that it could not answer.</summary>
    private sealed class FailureLog : ILoggerProvider, ILogger
    {
        public ILogger CreateLogger(string categoryName) => this;
        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;
        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Error;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (IsEnabled(logLevel))
                s_failure = exception ?? new OracleException(formatter(state, exception));
        }

        public void Dispose()
        {
        }
    }

    /// <summary>Changes the body, seldom the route.</summary>
    private sealed class RequestMutator : Mutator
    {
        private readonly JsonMutator _body = new([.. RouteManifest.Routes.Values.SelectMany(route => route.Fields.Keys)
            .Select(name => name[(name.LastIndexOf('.') + 1)..]).Distinct(), "<mask>",
            "codegen-mono-8192", "roberta-mlm-8192", "top_k", "temperature", "base64"]);

        public override byte[] Change(Random random, byte[] input, byte[] other)
        {
            byte[] route = input[..(Array.IndexOf(input, (byte)'\n') + 1)], body = input[route.Length..];
            if (random.Next(8) == 0)
                route = Seeds.Utf8(s_routes[random.Next(s_routes.Length)].Key + "\n");
            return [.. route, .. _body.Change(random, body, other[(Array.IndexOf(other, (byte)'\n') + 1)..])];
        }

        public override byte[] Grow(Random random, byte[] input, int length)
        {
            byte[] route = input[..(Array.IndexOf(input, (byte)'\n') + 1)];
            return [.. route, .. _body.Grow(random, input[route.Length..], length)];
        }
    }
}
