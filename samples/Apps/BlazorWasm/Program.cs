// Fills masks while one types, in the browser: the model is loaded over HTTP and runs in the page.
// dotnet run -c Release --project samples/Apps/BlazorWasm
using ManagedTransformers.Samples.BlazorWasm;
using Microsoft.AspNetCore.Components.WebAssembly.Hosting;

WebAssemblyHostBuilder builder = WebAssemblyHostBuilder.CreateDefault(args);
builder.RootComponents.Add<FillMask>("#app");
builder.Services.AddScoped(_ => new HttpClient { BaseAddress = new Uri(builder.HostEnvironment.BaseAddress) });
await builder.Build().RunAsync();
