#include <stdio.h>
#include <string.h>
#include <stdlib.h>
int main(void){ static char line[1<<20]; setvbuf(stdout,0,_IOLBF,0);
 while(fgets(line,sizeof line,stdin)){
  char src[64]="",dest[64]=""; long id=0; char*p;
  if((p=strstr(line,"\"src\":\"")))sscanf(p+7,"%63[^\"]",src);
  if((p=strstr(line,"\"dest\":\"")))sscanf(p+8,"%63[^\"]",dest);
  if((p=strstr(line,"\"msg_id\":")))id=atol(p+9);
  if(strstr(line,"\"type\":\"init\"")) printf("{\"src\":\"%s\",\"dest\":\"%s\",\"body\":{\"type\":\"init_ok\",\"in_reply_to\":%ld}}\n",dest,src,id);
  else { char e[4096]=""; p=strstr(line,"\"echo\":"); if(p)sscanf(p+7,"\"%4000[^\"]",e);
   printf("{\"src\":\"%s\",\"dest\":\"%s\",\"body\":{\"type\":\"echo_ok\",\"echo\":\"%s\",\"in_reply_to\":%ld}}\n",dest,src,e,id);} }
}
