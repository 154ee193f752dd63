using MeshL4.Load;

return await CommandLine.RunAsync(args);
